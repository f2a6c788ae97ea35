//! Requests of HTTP/1 that two servers could understand in two ways.

use axum::body::Body;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response, StatusCode, Version};

/// The refusal of a request that must not be passed on: none, or more than one, `host`, which the next server may take
/// for another one (RFC 9112 §3.2), or a transfer coding that nobody here decodes (§6.1).
pub(super) fn refuse<B>(request: &Request<B>) -> Option<Response<Body>> {
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        return Some(refusal(StatusCode::BAD_REQUEST, "a request has one host\n"));
    }
    let codings = request.headers().get_all(TRANSFER_ENCODING);
    let known = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    if !codings.iter().all(known) || codings.iter().nth(1).is_some() {
        return Some(refusal(StatusCode::NOT_IMPLEMENTED, "chunked is the only transfer coding here\n"));
    }
    None
}

/// Where the body of such a request ends is not sure, so nothing more is read.
fn refusal(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
