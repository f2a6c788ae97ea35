//! Refused handshakes: HTTP answers with a text that says why.

use std::net::SocketAddr;

use bytes::Bytes;
use grpcws_proto::handshake::OriginError;
use grpcws_proto::{Code, Status};
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::request::Parts;
use http::{Response, StatusCode, Version};
use http_body_util::Full;

use super::probe::Probe;
use crate::forwarded::peer;

/// Why a handshake is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Refusal {
    /// The request is not a WebSocket handshake; open it with a WebSocket client.
    #[error("not a WebSocket handshake: {0}")]
    NotWebSocket(&'static str),
    /// The handshake breaks RFC 6455 or RFC 8441.
    #[error("malformed WebSocket handshake: {0}")]
    Malformed(&'static str),
    /// The client speaks another version of the WebSocket protocol.
    #[error("unsupported WebSocket version: use 13")]
    Version,
    /// The page's origin is not allowed; add it to the allow-list.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// Nothing of what the client offers can be selected.
    #[error(transparent)]
    Subprotocol(#[from] grpcws_proto::handshake::Refusal),
    /// The headers are larger than the limit.
    #[error("handshake headers are larger than {0} bytes")]
    HeaderSize(u64),
    /// The path names no method and no route.
    #[error("no such route: a method is at /package.Service/Method below the prefix")]
    NoRoute,
    /// The gateway shuts down.
    #[error("the gateway is shutting down")]
    Draining,
    /// There are as many streams as there may be.
    #[error("too many streams: try again later")]
    Streams,
    /// The program's request parser rejects the request, with an answer of its own.
    #[cfg(feature = "axum")]
    #[error("the request parser rejects the request")]
    Rejected(StatusCode),
    /// The call cannot be made, and the mode tells so by HTTP (seed mode).
    #[error("{}", .0.message())]
    Status(Status),
}

impl Refusal {
    /// The HTTP status of the answer.
    fn http_status(&self) -> StatusCode {
        match self {
            Self::NotWebSocket(_) | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Malformed(_) | Self::Subprotocol(_) => StatusCode::BAD_REQUEST,
            Self::Origin(_) => StatusCode::FORBIDDEN,
            Self::HeaderSize(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Draining | Self::Streams => StatusCode::SERVICE_UNAVAILABLE,
            #[cfg(feature = "axum")]
            Self::Rejected(status) => *status,
            Self::Status(status) => http_status(status.code()),
        }
    }

    /// The status of the call, if that is why.
    pub(super) fn status(&self) -> Option<&Status> {
        match self {
            Self::Status(status) => Some(status),
            _ => None,
        }
    }

    /// The answer. Over HTTP/1.1 it closes the connection, so that nothing that follows the refused
    /// handshake is taken for a request.
    pub(crate) fn response(&self, version: Version) -> Response<Full<Bytes>> {
        let mut response = self.plain_response();
        if response.status() == StatusCode::UPGRADE_REQUIRED && version < Version::HTTP_2 {
            response.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        close_connection(&mut response, version);
        response
    }

    /// The answer without what depends on the version of HTTP.
    pub(crate) fn plain_response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(format!("{self}\n")));
        *response.status_mut() = self.http_status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if self.http_status() == StatusCode::UPGRADE_REQUIRED {
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        if matches!(self.http_status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The client of a handshake, and the method that it asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) path: &'a str,
    /// `package.Service/Method`, or the route of a typed handler, if the path names one.
    pub(crate) method: Option<&'a str>,
    pub(crate) peer: Option<SocketAddr>,
    /// Set if the client only asks what a handshake would get.
    pub(crate) probe: Option<&'a Probe>,
    pub(crate) version: Version,
}

impl<'a> Client<'a> {
    /// The client of a request of which no more is known.
    pub(crate) fn of(parts: &'a Parts) -> Self {
        Self { path: parts.uri.path(), method: None, peer: peer(parts), probe: None, version: parts.version }
    }
}

/// Makes an answer the last one of its HTTP/1.1 connection.
pub(crate) fn close_connection<B>(response: &mut Response<B>, version: Version) {
    if version < Version::HTTP_2 {
        // With a later version in the answer, hyper would keep a connection of HTTP/1.0 that asks for it.
        *response.version_mut() = version;
        let headers = response.headers_mut();
        // What stands in `Upgrade` is for this connection only, and `Connection` has to say so (RFC 9110 §7.8).
        let close = if headers.contains_key(UPGRADE) { "upgrade, close" } else { "close" };
        headers.insert(CONNECTION, HeaderValue::from_static(close));
    }
}

/// The HTTP status that stands for a gRPC code where a handshake is refused.
fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
