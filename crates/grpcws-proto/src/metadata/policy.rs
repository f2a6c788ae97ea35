//! Which names may pass from a handshake to the call.

use http::HeaderName;

use crate::{OptionsError, options};

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

options! {
    /// Which headers of the handshake become metadata of the call.
    ///
    /// Hop-by-hop names, `cookie`, `host`, `origin`, `te`, `content-type`, `user-agent`, `forwarded`, `x-forwarded-*`,
    /// `sec-websocket-*`, `grpcws-*` and `grpc-*` never pass; `build` refuses a policy that lists one of them.
    ///
    /// ```
    /// use grpcws_proto::metadata::MetadataPolicy;
    /// use http::HeaderName;
    ///
    /// let policy = MetadataPolicy::builder()
    ///     .allowed_headers([HeaderName::from_static("authorization"), HeaderName::from_static("x-tenant")])
    ///     .build()?;
    /// # let _ = policy;
    /// # Ok::<(), grpcws_proto::OptionsError>(())
    /// ```
    MetadataPolicy, MetadataPolicyBuilder {
        /// Headers that pass under their own name, also where that begins with the [`prefix`](Self::prefix). Default:
        /// `authorization`, `x-request-id`, `traceparent`, `tracestate`.
        own allowed_headers: Vec<HeaderName> = DEFAULT_HEADERS.map(HeaderName::from_static).to_vec();
        /// Headers whose name begins with this pass without it; empty for none. Default: `grpc-metadata-`.
        own prefix: String = "grpc-metadata-".to_owned();
    }
}

const DEFAULT_HEADERS: [&str; 4] = ["authorization", "x-request-id", "traceparent", "tracestate"];

impl MetadataPolicyBuilder {
    /// Sets [`allowed_headers`](MetadataPolicy::allowed_headers), in place of those that are there.
    pub fn allowed_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.options.allowed_headers = names.into_iter().collect();
        self
    }

    /// Sets [`prefix`](MetadataPolicy::prefix), without regard to case.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.options.prefix = prefix.into().to_ascii_lowercase();
        self
    }
}

impl MetadataPolicy {
    fn check(&self) -> Result<(), OptionsError> {
        if let Some(name) = self.allowed_headers.iter().find(|name| is_reserved(name.as_str())) {
            let text = format!(
                "{name} never becomes metadata of a call: leave it out, or send it under another name"
            );
            return Err(OptionsError::new("allowed_headers", text));
        }
        let prefix = self.prefix.as_str();
        if prefix.is_empty() {
            return Ok(());
        }
        let text = if HeaderName::try_from(prefix).is_err() {
            "is not the beginning of a header's name"
        } else if is_reserved(prefix) && !prefix.starts_with("grpc-") {
            "is of headers that never become metadata"
        } else {
            return Ok(());
        };
        Err(OptionsError::new("prefix", format!("{prefix:?} {text}: use one like \"grpc-metadata-\"")))
    }

    /// The name under which a header of the handshake passes, if it does.
    pub(crate) fn passes<'a>(&self, name: &'a HeaderName) -> Option<&'a str> {
        let name_text = name.as_str();
        if self.allowed_headers.contains(name) {
            return Some(name_text);
        }
        // A short prefix must not turn `x-forwarded-for`, say, into a name that passes.
        let stripped = (!self.prefix.is_empty()).then(|| name_text.strip_prefix(self.prefix.as_str()))?;
        stripped.filter(|rest| !rest.is_empty() && (is_reserved(&self.prefix) || !is_reserved(name_text)))
    }
}

/// Whether a name never becomes metadata of the call.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn name(text: &'static str) -> HeaderName {
        HeaderName::from_static(text)
    }

    #[test]
    fn a_listed_header_keeps_its_name_and_a_reserved_one_never_passes() {
        let policy = MetadataPolicy::builder().prefix("X-").build().expect("a valid policy");
        assert_eq!(policy.passes(&name("x-request-id")), Some("x-request-id"));
        assert_eq!(policy.passes(&name("x-game")), Some("game"));
        for other in ["x-forwarded-for", "x-", "cookie", "game"] {
            assert_eq!(policy.passes(&name(other)), None, "{other}");
        }
        let policy = MetadataPolicy::builder().prefix("c").build().expect("a valid policy");
        assert_eq!(policy.passes(&name("cookie")), None);
        assert_eq!(MetadataPolicy::default().passes(&name("grpc-metadata-x-game")), Some("x-game"));
    }

    #[test]
    fn what_would_never_pass_is_refused() {
        let refused =
            |builder: MetadataPolicyBuilder| builder.build().expect_err("it cannot work").to_string();
        let cookie = refused(MetadataPolicy::builder().allowed_headers([name("x-a"), name("cookie")]));
        assert!(cookie.starts_with("allowed_headers: cookie never becomes"), "{cookie}");
        for prefix in ["x a", "sec-websocket-", "x-forwarded-"] {
            let error = refused(MetadataPolicy::builder().prefix(prefix));
            assert!(error.starts_with("prefix: ") && error.contains("grpc-metadata-"), "{error}");
        }
        assert!(MetadataPolicy::builder().prefix("").build().is_ok());
    }
}
