//! `GET` without an upgrade: the question what a handshake would get (PROTOCOL §3.5).

use bytes::Bytes;
use grpcws_proto::handshake::OriginError;
use grpcws_proto::{Code, Status, message};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE, VARY,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::Full;

use super::Refusal;
use super::request::{has_token, single};
use crate::options::ConnectionOptions;

/// The sub-protocols of the handshake that a probe asks about: a page cannot set `Sec-WebSocket-Protocol`.
const GRPCWS_PROTOCOL: HeaderName = HeaderName::from_static("grpcws-protocol");

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How many seconds a browser remembers what a preflight allows.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// A `GET` without an upgrade, which asks what a handshake in its place would get.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    /// The origin whose pages may read the answer.
    reader: Option<HeaderValue>,
}

/// Whether a request says by the header `grpcws-protocol` that it asks what a handshake would get, or is the preflight
/// of one that will (PROTOCOL §3.5).
///
/// The handlers and the bridge take every `GET` without an upgrade for a probe. It is for a program that serves
/// something else at the same paths: a request for which this is true is for the handler or the bridge.
pub fn is_probe<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    match *request.method() {
        Method::GET => headers.contains_key(GRPCWS_PROTOCOL),
        Method::OPTIONS => has_token(headers, ACCESS_CONTROL_REQUEST_HEADERS, GRPCWS_PROTOCOL.as_str()),
        _ => false,
    }
}

impl Probe {
    /// The probe that a request is, if it is one. Its sub-protocols then stand where a handshake has them.
    ///
    /// A `GET` with headers of a WebSocket is a handshake that has lost its upgrade on the way.
    pub(super) fn of(parts: &mut Parts, options: &ConnectionOptions) -> Option<Self> {
        let headers = &mut parts.headers;
        let of_handshake = headers.contains_key(SEC_WEBSOCKET_KEY)
            || headers.contains_key(SEC_WEBSOCKET_VERSION)
            || has_token(headers, UPGRADE, "websocket");
        if parts.method != Method::GET || of_handshake {
            return None;
        }
        let lists: Vec<HeaderValue> = headers.get_all(GRPCWS_PROTOCOL).iter().cloned().collect();
        headers.remove(GRPCWS_PROTOCOL);
        for list in lists {
            // `append` panics where the map can take no more names.
            let _ = headers.try_append(SEC_WEBSOCKET_PROTOCOL, list);
        }
        let reader = single(&parts.headers, ORIGIN).cloned();
        Some(Self { reader: reader.filter(|_| options.accepts_origin(parts)) })
    }

    /// The answer to a probe of a handshake that would be refused.
    pub(super) fn refused(&self, refusal: &Refusal, version: Version) -> Response<Full<Bytes>> {
        self.answer(refusal.response(version), message::error(&refusal.to_status(), &()))
    }

    /// The answer to a probe of a handshake that would be accepted.
    pub(super) fn accepted(&self, version: Version) -> Response<Full<Bytes>> {
        let body = r#"{"code":0,"status":"OK","message":"a WebSocket handshake would be accepted"}"#;
        self.answer(Refusal::NotWebSocket("it is a probe").response(version), body.to_owned())
    }

    fn answer(&self, response: Response<Full<Bytes>>, json: String) -> Response<Full<Bytes>> {
        let mut response = response.map(|_| Full::from(json));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = &self.reader {
            share(headers, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        }
        response
    }
}

/// Lets the pages of an origin read an answer, and send their cookies for it as they do with a handshake.
fn share(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
}

/// Whether a page of another site sent this in a way in which it cannot read the answer, such as `no-cors`. There is no
/// `Origin` that could be checked then.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE).map_or(&b""[..], HeaderValue::as_bytes);
    !headers.contains_key(ORIGIN) && matches!(site, b"cross-site" | b"same-site")
}

/// The answer to a browser that asks whether a page may send a probe; `None` if it does not ask for that.
///
/// It is the same for every path, and tells nothing of the methods.
pub(super) fn preflight(parts: &Parts, options: &ConnectionOptions) -> Option<Response<Full<Bytes>>> {
    let wanted = single(&parts.headers, ACCESS_CONTROL_REQUEST_METHOD)?;
    if parts.method != Method::OPTIONS || wanted != Method::GET.as_str() {
        return None;
    }
    let origin = single(&parts.headers, ORIGIN).filter(|_| options.accepts_origin(parts));
    let Some(origin) = origin else {
        return Some(Refusal::Origin(OriginError::NotAllowed).response(parts.version));
    };
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    share(headers, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, HeaderValue::from_static("origin, access-control-request-headers"));
    if let Some(names) = parts.headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(response)
}

impl Refusal {
    /// The status that says in JSON why a handshake would be refused.
    fn to_status(&self) -> Status {
        let code = match self {
            Self::Status(status) => return status.clone(),
            Self::NotWebSocket(_) | Self::Malformed(_) | Self::Version | Self::Subprotocol(_) => {
                Code::InvalidArgument
            }
            Self::Origin(_) => Code::PermissionDenied,
            Self::HeaderSize(_) => Code::ResourceExhausted,
            Self::NoRoute => Code::Unimplemented,
            Self::Draining | Self::Streams => Code::Unavailable,
            #[cfg(feature = "axum")]
            Self::Rejected(_) => Code::InvalidArgument,
        };
        Status::new(code, self.to_string())
    }
}
