//! What a handler is told of the handshake.

use std::time::{Duration, Instant};

use http::HeaderMap;
use http::request::Parts;

/// What the handshake says of the call: metadata, deadline, and what middleware has put into the request.
#[derive(Clone)]
#[non_exhaustive]
pub struct CallContext {
    /// The metadata for the call: the headers that are let through, and what the sub-protocols carry.
    pub metadata: HeaderMap,
    /// The HTTP request: URI, headers, and the extensions that middleware has put into it.
    pub request: Parts,
    /// When the call is ended with code 4, if the client gave a `grpc-timeout`.
    pub deadline: Option<Instant>,
}

/// Without values of headers and metadata, which may be secrets.
impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("path", &self.request.uri.path())
            .field("metadata", &self.metadata.keys().collect::<Vec<_>>())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl CallContext {
    /// The time that is left until the deadline; `None` where there is none.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
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
