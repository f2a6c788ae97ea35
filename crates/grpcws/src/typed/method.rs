//! One method at one place of an app.

use std::sync::Arc;

use axum::extract::MatchedPath;
use axum::response::Response;
use grpcws_proto::MethodKind;
use http::request::Parts;

use crate::codec::Codec;
use crate::handshake::{Begun, Endpoint, Resolved};

/// One method at one place of an app. All of it is known before the first handshake.
#[derive(Debug, Clone)]
pub(super) struct TypedMethod {
    endpoint: Endpoint,
    kind: MethodKind,
    codec: Arc<Codec>,
}

impl TypedMethod {
    pub(super) fn new(endpoint: Endpoint, kind: MethodKind, codec: Codec) -> Self {
        Self { endpoint, kind, codec: Arc::new(codec) }
    }

    /// How many bytes of requests may lie ready.
    pub(super) fn receive_window(&self) -> u64 {
        self.endpoint.options.session.receive_window()
    }

    /// Checks the handshake; returns the answer if it is refused.
    #[expect(clippy::result_large_err, reason = "an answer is returned by value everywhere")]
    pub(super) fn open(&self, parts: Parts) -> Result<Begun, Response> {
        let route = parts.extensions.get::<MatchedPath>().map_or(parts.uri.path(), MatchedPath::as_str);
        let resolved = Resolved {
            method: route.into(),
            kind: Some(self.kind),
            codec: Ok(Arc::clone(&self.codec)),
            bound: None,
            // The request parser makes it.
            complete: self.kind == MethodKind::ServerStreaming,
            unexpected: None,
            unknown_parameter: None,
        };
        self.endpoint.open(parts, resolved).map_err(|refused| refused.map(axum::body::Body::new))
    }
}
