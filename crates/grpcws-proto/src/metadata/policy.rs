//! Which names may pass from a handshake to the call.

use http::HeaderName;

/// Names that never pass, whatever their source (PROTOCOL §9): hop-by-hop fields, what gRPC sets by
/// itself, and what the gateway says of the client.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
const RESERVED_PREFIXES: &[&str] = &["grpc-", "grpcws-", "sec-websocket-", "x-forwarded-"];

/// Which headers of the handshake become metadata of the call.
///
/// Whatever a policy allows, hop-by-hop names, `host`, `te`, `content-type`, `user-agent`,
/// `x-forwarded-*`, `grpcws-*` and `grpc-*` never pass.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MetadataPolicy {
    /// Headers that pass under their own name. Default: `authorization`, `x-request-id`, `traceparent`,
    /// `tracestate`.
    pub allowed_headers: Vec<HeaderName>,
    /// Headers whose name begins with this pass without it; empty for none. Default: `grpc-metadata-`.
    pub prefix: String,
}

impl Default for MetadataPolicy {
    fn default() -> Self {
        let allowed = ["authorization", "x-request-id", "traceparent", "tracestate"];
        Self {
            allowed_headers: allowed.map(HeaderName::from_static).to_vec(),
            prefix: "grpc-metadata-".to_owned(),
        }
    }
}

impl MetadataPolicy {
    /// The headers that pass under their own name.
    #[must_use]
    pub fn allowed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.allowed_headers = names.into_iter().collect();
        self
    }

    /// The prefix by which any other header passes, without it.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().to_ascii_lowercase();
        self
    }

    /// The name under which a header of the handshake passes, if it does.
    pub(crate) fn passes<'a>(&self, name: &'a HeaderName) -> Option<&'a str> {
        let stripped = Some(self.prefix.as_str())
            .filter(|prefix| !prefix.is_empty())
            .and_then(|prefix| name.as_str().strip_prefix(prefix))
            .filter(|rest| !rest.is_empty());
        stripped.or_else(|| self.allowed_headers.contains(name).then_some(name.as_str()))
    }
}

/// Whether a name never becomes metadata of the call.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
