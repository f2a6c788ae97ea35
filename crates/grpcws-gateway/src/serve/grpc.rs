//! Plain gRPC and gRPC-Web on the port of the WebSockets.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use grpcws::{Code, ConnectionOptions, Shutdown, Status};
use grpcws_upstream::Answering;
use http::header::{
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE, HeaderMap, TRAILER,
};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use tower_http::cors::{AllowHeaders, AllowOrigin, Cors, CorsLayer};
use tower_layer::Layer as _;
use tower_service::Service;

use super::draining::Draining;
use super::headers::forward;
use super::web_body::WebBody;

/// The headers of a gRPC-Web response that a page of another origin can always read.
const EXPOSED: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
/// Those that are HTTP's and no metadata, or that no page can read anyway.
const UNEXPOSED: [&str; 5] = ["content-type", "date", "vary", "set-cookie", "trailer"];

/// What a request is by its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A gRPC request over HTTP/2.
    Grpc,
    /// A gRPC-Web request, or the question of a browser whether it may send one.
    GrpcWeb,
    /// Something else.
    Other,
}

impl Kind {
    pub(super) fn of(request: &Request<Body>) -> Self {
        let headers = request.headers();
        if request.method() == Method::OPTIONS && asks_for_grpc_web(headers) {
            Self::GrpcWeb
        } else if request.method() != Method::POST {
            Self::Other
        } else if content_type_begins_with(headers, b"application/grpc-web") {
            Self::GrpcWeb
        } else if content_type_begins_with(headers, b"application/grpc")
            && request.version() == Version::HTTP_2
        {
            Self::Grpc
        } else {
            Self::Other
        }
    }
}

/// Whether the content type begins so, in upper or lower case (RFC 9110 §8.3.1).
fn content_type_begins_with(headers: &HeaderMap, start: &[u8]) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    content_type.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Writes the content type as `tonic-web` compares it.
fn lower_content_type(headers: &mut HeaderMap) {
    if let Some(content_type) = headers.get_mut(CONTENT_TYPE)
        && let Ok(lower) = HeaderValue::from_bytes(&content_type.as_bytes().to_ascii_lowercase())
    {
        *content_type = lower;
    }
}

/// Whether a preflight is about gRPC-Web: its clients all send `x-grpc-web`.
fn asks_for_grpc_web(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
    let mut names = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("x-grpc-web"))
}

/// The upstream for clients that speak gRPC: it answers each call, whatever goes wrong.
type Answers = BoxCloneSyncService<Request<tonic::body::Body>, Response<tonic::body::Body>, Infallible>;

/// Passes gRPC on as it is, and gRPC-Web as gRPC.
#[derive(Debug, Clone)]
pub(super) struct Passthrough {
    upstream: Answers,
    web: Cors<GrpcWebService<Answers>>,
    options: Arc<ConnectionOptions>,
}

impl Passthrough {
    /// Pages may send gRPC-Web from the origins that may open WebSockets, and from no others.
    pub(super) fn new<S, B>(upstream: S, options: ConnectionOptions, shutdown: Shutdown) -> Self
    where
        S: Service<Request<tonic::body::Body>, Response = Response<B>, Error = Status, Future: Send>,
        S: Clone + Send + Sync + 'static,
        B: http_body::Body<Data = Bytes, Error = Status> + Send + Unpin + 'static,
    {
        let answering = Answering::new(Draining::new(upstream, shutdown));
        let upstream =
            BoxCloneSyncService::new(answering.map_response(|response| response.map(tonic::body::Body::new)));
        let options = Arc::new(options);
        let policy = Arc::clone(&options);
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |_, request| policy.accepts_origin(request)))
            .allow_methods([Method::POST])
            .allow_headers(AllowHeaders::mirror_request())
            // Which ones there are, `expose_all` sees.
            .expose_headers(EXPOSED.map(HeaderName::from_static));
        let shown = upstream
            .clone()
            .map_response(|response| WebBody::of(only_grpc(response)).map(tonic::body::Body::new));
        let shown = BoxCloneSyncService::new(shown);
        let web = cors.layer(GrpcWebLayer::new().layer(shown));
        Self { upstream, web, options }
    }

    pub(super) async fn call(mut self, kind: Kind, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        if let Err(error) = self.options.check_origin(&parts) {
            let mut response = Response::new(Body::from(format!("{error}\n")));
            *response.status_mut() = StatusCode::FORBIDDEN;
            return response;
        }
        forward(&mut parts);
        // gRPC has none, and it would be metadata.
        parts.headers.remove(TRAILER);
        if kind == Kind::GrpcWeb {
            lower_content_type(&mut parts.headers);
            let Ok(mut response) = self.web.call(Request::from_parts(parts, body)).await;
            expose_all(response.headers_mut());
            response.map(Body::new)
        } else {
            let request = Request::from_parts(parts, tonic::body::Body::new(body));
            let Ok(response) = self.upstream.call(request).await;
            response.map(Body::new)
        }
    }
}

/// Lets the page of another origin read all metadata of a response, as it can over WebSocket: custom headers, and custom
/// trailers of a response that is trailers only. A `*` would mean nothing in an answer to a request with credentials.
fn expose_all(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS) {
        return;
    }
    let own = |name: &str| name.starts_with("access-control-") || EXPOSED.contains(&name);
    let others =
        headers.keys().map(HeaderName::as_str).filter(|name| !own(name) && !UNEXPOSED.contains(name));
    let names: Vec<&str> = EXPOSED.into_iter().chain(others).collect();
    if let Ok(value) = HeaderValue::try_from(names.join(",")) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, value);
    }
}

/// What a page is shown of an answer that is not gRPC: the status alone, as over WebSocket. The headers are those of
/// whatever answered, with cookies and internal addresses.
fn only_grpc(response: Response<tonic::body::Body>) -> Response<tonic::body::Body> {
    if content_type_begins_with(response.headers(), b"application/grpc") {
        return response;
    }
    let http_status = response.status();
    let text = format!("the upstream answered with HTTP status {}", http_status.as_u16());
    let mut answer = Response::new(tonic::body::Body::empty());
    *answer.headers_mut() = Status::new(Code::from_http_status(http_status), text).to_trailers();
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;

    #[tokio::test]
    async fn a_page_of_another_origin_can_read_all_metadata() {
        let upstream = tower::service_fn(|_: Request<tonic::body::Body>| async {
            let body = http_body_util::combinators::BoxBody::<Bytes, Status>::new(
                http_body_util::BodyExt::map_err(Empty::new(), |never: Infallible| match never {}),
            );
            // Trailers only.
            let response = Response::builder().header(CONTENT_TYPE, "Application/GRPC+proto");
            let response =
                response.header("grpc-status", "5").header("x-why", "quota").header("x-n-bin", "AQ");
            Ok::<_, Status>(response.body(body).expect("valid headers"))
        });
        let options = ConnectionOptions::builder().allow_origin("https://app.example").build();
        let passthrough = Passthrough::new(upstream, options.expect("valid"), Shutdown::new());
        let request = Request::post("/a.B/C").header(CONTENT_TYPE, "Application/gRPC-Web+proto");
        let request = request.header("host", "b.example").header("origin", "https://app.example");
        let request = request.body(Body::empty()).expect("valid headers");
        assert_eq!(Kind::of(&request), Kind::GrpcWeb);
        let response = passthrough.call(Kind::GrpcWeb, request).await;
        let exposed = response.headers()["access-control-expose-headers"].to_str().expect("text");
        assert_eq!(exposed, "grpc-status,grpc-message,grpc-status-details-bin,x-why,x-n-bin");
    }

    #[tokio::test]
    async fn a_page_is_not_shown_the_headers_of_an_answer_that_is_no_grpc() {
        let upstream = tower::service_fn(|_: Request<tonic::body::Body>| async {
            let body = http_body_util::combinators::BoxBody::<Bytes, Status>::new(
                http_body_util::BodyExt::map_err(Empty::new(), |never: Infallible| match never {}),
            );
            Ok::<_, Status>(
                Response::builder()
                    .status(302)
                    .header("location", "http://10.1.2.3:9999/login")
                    .header("set-cookie", "SESSION=abc")
                    .body(body)
                    .expect("valid headers"),
            )
        });
        let passthrough = Passthrough::new(upstream, ConnectionOptions::default(), Shutdown::new());
        let request = Request::post("/a.B/C").header(CONTENT_TYPE, "application/grpc-web+proto");
        let request = request.body(Body::empty()).expect("valid headers");
        let response = passthrough.call(Kind::GrpcWeb, request).await;
        let headers = response.headers();
        assert_eq!(
            (response.status(), &headers["grpc-status"]),
            (StatusCode::OK, &HeaderValue::from_static("2"))
        );
        for name in ["location", "set-cookie"] {
            assert!(!headers.contains_key(name), "{headers:?}");
        }
    }
}
