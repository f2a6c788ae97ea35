//! The context of a call, from its handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use grpcws_proto::{MethodKind, Mode};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::handshake::asks_for_websocket;

/// What the handshake says of the call: method, metadata, deadline, and what middleware has put into the request.
#[derive(Clone)]
#[non_exhaustive]
pub struct CallContext {
    /// The method, `package.Service/Method`; the path of its route for a typed handler. Empty if the path is one of
    /// descriptors that have not been loaded yet.
    pub method: Arc<str>,
    /// The kind of the method; `None` if the descriptors do not have it.
    pub kind: Option<MethodKind>,
    /// The mode of the socket.
    pub mode: Mode,
    /// The address of the client's end of the connection, if the server tells it: see
    /// [`PeerAddress`](crate::PeerAddress).
    pub peer: Option<SocketAddr>,
    /// The metadata for the call: the headers that are let through, and what the sub-protocols carry.
    pub metadata: HeaderMap,
    /// The HTTP request: URI, headers, and the extensions that middleware has put into it. Headers that carry
    /// credentials are marked as sensitive.
    pub request: Parts,
    /// When the call is ended with code 4, if the client gave a `grpc-timeout`.
    pub deadline: Option<Instant>,
    /// The identity of the caller, set by the authorization check: see [`Authorize`](crate::Authorize).
    pub principal: Option<Arc<str>>,
}

/// Without values of headers and metadata, which may be secrets.
impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("method", &self.method)
            .field("path", &self.request.uri.path())
            .field("peer", &self.peer)
            .field("metadata", &self.metadata.keys().collect::<Vec<_>>())
            .field("deadline", &self.deadline)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl CallContext {
    /// The time that is left until the deadline; `None` where there is none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether there is no handshake, only the question what one would get (PROTOCOL §3.5). A check that uses something
    /// up, such as a ticket, has to look at it.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        let Parts { version, headers, extensions, .. } = &self.request;
        !asks_for_websocket(*version, headers, extensions)
    }

    /// The token of `authorization: Bearer TOKEN`, whether a header or the sub-protocol `grpcws.bearer.` brought it.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.metadata.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
    }

    /// What an axum extractor makes of the HTTP request: a path parameter, the query, a header.
    ///
    /// # Errors
    ///
    /// The extractor's rejection.
    #[cfg(feature = "axum")]
    pub async fn extract<E: axum::extract::FromRequestParts<()>>(&self) -> Result<E, E::Rejection> {
        E::from_request_parts(&mut self.request.clone(), &()).await
    }

    /// A request for a tonic client, with the metadata and the deadline of this call.
    ///
    /// Metadata goes in `metadata`, the deadline in `grpc-timeout`; the extensions are those of the HTTP
    /// request.
    #[cfg(feature = "tonic")]
    #[must_use]
    pub fn request<T>(&self, message: T) -> tonic::Request<T> {
        let metadata = tonic::metadata::MetadataMap::from_headers(self.metadata.clone());
        let mut extensions = self.request.extensions.clone();
        // It is about this connection, and would say to the next one that it is a CONNECT.
        extensions.remove::<hyper::ext::Protocol>();
        let mut request = tonic::Request::from_parts(metadata, extensions, message);
        if let Some(timeout) = self.timeout() {
            request.set_timeout(timeout);
        }
        request
    }
}
