//! Which origins may open a socket (PROTOCOL §10).

use http::uri::Authority;

/// Which origins are accepted besides the host's own.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct OriginPolicy {
    /// Origins that are accepted besides the same origin, as `scheme://host[:port]`. Default: none.
    pub allowed: Vec<String>,
    /// Accepts every origin. Only for services that hold nothing of a user's. Default: off.
    pub allow_any: bool,
}

impl OriginPolicy {
    /// The same policy with one more allowed origin (`https://app.example.com`).
    #[must_use]
    pub fn allow(mut self, origin: impl Into<String>) -> Self {
        self.allowed.push(origin.into());
        self
    }

    /// The policy that accepts every origin.
    #[must_use]
    pub fn any() -> Self {
        Self { allow_any: true, ..Self::default() }
    }

    /// Whether a handshake with this `Origin`, for this host, is accepted.
    ///
    /// `host` is the `Host` header or the `:authority`. `secure` says whether the connection is known to
    /// be encrypted or known not to be; behind a proxy that ends TLS it is not known.
    #[must_use]
    pub fn accepts(&self, origin: Option<&str>, host: Option<&str>, secure: Option<bool>) -> bool {
        let Some(origin) = origin else { return true };
        if self.allow_any {
            return true;
        }
        let Some((scheme, origin_host, origin_port)) = parse_origin(origin) else {
            return false;
        };
        let same = host.and_then(|host| host.parse::<Authority>().ok()).is_some_and(|host| {
            host.host().eq_ignore_ascii_case(&origin_host)
                && port(&host, &scheme) == Some(origin_port)
                && !host.as_str().contains('@')
                && secure.is_none_or(|secure| secure == (scheme == "https"))
        });
        same || self.allowed.iter().any(|allowed| {
            parse_origin(allowed)
                .is_some_and(|allowed| allowed == (scheme.clone(), origin_host.clone(), origin_port))
        })
    }
}

/// The scheme, host and port of an origin, in lower case and with the default port filled in.
///
/// `None` for what is not `http(s)://host[:port]`: `null`, user information, a path, other schemes.
#[must_use]
pub fn parse_origin(origin: &str) -> Option<(String, String, u16)> {
    let (scheme, rest) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") || rest.contains(['@', '/', '?', '#']) {
        return None;
    }
    let authority: Authority = rest.parse().ok()?;
    let host = authority.host().to_ascii_lowercase();
    let port = port(&authority, &scheme)?;
    (!host.is_empty()).then_some((scheme, host, port))
}

/// The port of an authority, or the scheme's own where it names none; `None` for one that is no port.
fn port(authority: &Authority, scheme: &str) -> Option<u16> {
    // A literal IPv6 address has colons inside its brackets.
    let after_host = authority.as_str().rsplit(']').next()?;
    match after_host.rsplit_once(':') {
        Some((_, port)) => port.parse().ok(),
        None => Some(if scheme == "https" { 443 } else { 80 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_origin_is_accepted() {
        let policy = OriginPolicy::default();
        for (origin, host) in [
            (None, Some("example.com")),
            (Some("https://example.com"), Some("example.com")),
            (Some("https://example.com"), Some("example.com:443")),
            (Some("http://localhost:8080"), Some("localhost:8080")),
            (Some("http://[::1]:8080"), Some("[::1]:8080")),
            (Some("http://EXAMPLE.com"), Some("example.com")),
        ] {
            assert!(policy.accepts(origin, host, None), "{origin:?} {host:?}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        let policy = OriginPolicy::default().allow("https://app.example.com");
        for origin in [
            "null",
            "http://example.com:81",
            "http://evil-example.com",
            "http://example.com.evil.com",
            "http://user@example.com",
            "http://example.com/path",
            "file://example.com",
            "http://app.example.com",
            "https://example.com:99999",
            "",
        ] {
            assert!(!policy.accepts(Some(origin), Some("example.com"), None), "{origin}");
        }
        assert!(policy.accepts(Some("https://app.example.com:443"), Some("example.com"), None));
        assert!(!policy.accepts(Some("http://example.com"), Some("example.com"), Some(true)));
        assert!(!policy.accepts(Some("http://example.com"), None, None));
        assert!(OriginPolicy::any().accepts(Some("null"), None, None));
    }
}
