//! Which origins may open a socket (PROTOCOL §10).

use http::uri::Authority;

use crate::OptionsError;

/// Which origins are accepted besides the host's own. The default accepts no other.
///
/// ```
/// use grpcws_proto::handshake::OriginPolicy;
///
/// let policy = OriginPolicy::default().allow("https://app.example.com")?.allow("capacitor://localhost")?;
/// assert!(policy.accepts(Some("capacitor://localhost"), Some("api.example.com"), None));
///
/// let error = OriginPolicy::default().allow("https://app.example.com/").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "allow_origin: \"https://app.example.com/\" has a path: use \"https://app.example.com\""
/// );
/// # Ok::<(), grpcws_proto::OptionsError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    allowed: Vec<Origin>,
    any: bool,
}

/// An origin, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// `http` or `https`: scheme and host in lower case, the default port filled in.
    Web(WebOrigin),
    /// `null`, or one of another scheme, as of an app or an extension: compared byte by byte.
    Exact(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct WebOrigin {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl OriginPolicy {
    /// The same policy with one more allowed origin: `https://app.example.com`, `http://localhost:3000`; of an app
    /// or an extension `capacitor://localhost`, `chrome-extension://ID`, `file://`; `null`, which every sandboxed
    /// frame of every site has too.
    ///
    /// # Errors
    ///
    /// What is no origin, so that no page could ever have it: a path, a wildcard, no scheme. The error says how to
    /// write it.
    pub fn allow(mut self, origin: impl AsRef<str>) -> Result<Self, OptionsError> {
        let origin = origin.as_ref();
        let refused = |reason| OptionsError::new("allow_origin", format!("{origin:?} {reason}"));
        self.allowed.push(Origin::parse(origin).map_err(refused)?);
        Ok(self)
    }

    /// The policy that accepts every origin. Only for services that hold nothing of a user's: any page can then call
    /// them from a visitor's browser.
    #[must_use]
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Whether a handshake with this `Origin`, for this host, is accepted.
    ///
    /// `host` is the `Host` header or the `:authority`. `secure` says whether the connection is known to
    /// be encrypted or known not to be; behind a proxy that ends TLS it is not known.
    #[must_use]
    pub fn accepts(&self, origin: Option<&str>, host: Option<&str>, secure: Option<bool>) -> bool {
        let Some(origin) = origin else { return true };
        if self.any {
            return true;
        }
        let Some(web) = WebOrigin::parse(origin) else {
            return self
                .allowed
                .iter()
                .any(|allowed| matches!(allowed, Origin::Exact(text) if text == origin));
        };
        let same = host.and_then(|host| host.parse::<Authority>().ok()).is_some_and(|host| {
            host.host().eq_ignore_ascii_case(&web.host)
                && port(&host, web.scheme) == Some(web.port)
                && !host.as_str().contains('@')
                && secure.is_none_or(|secure| secure == (web.scheme == "https"))
        });
        same || self.allowed.iter().any(|allowed| matches!(allowed, Origin::Web(allowed) if *allowed == web))
    }
}

impl Origin {
    /// Reads an origin of an allow-list. An error says how to write it.
    fn parse(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Ok(Self::Exact(text.to_owned()));
        }
        if text.contains('*') {
            return Err("has a wildcard, which is not supported: list each origin".to_owned());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            let host = text.trim().trim_end_matches('/');
            return Err(if host.is_empty() || host.contains([':', '/', ' ', ',']) {
                "is not an origin: use one like \"https://app.example.com\"".to_owned()
            } else {
                format!("has no scheme: use \"https://{host}\"")
            });
        };
        if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
            return Err(format!("has a path: use \"{scheme}://{authority}\""));
        }
        match scheme {
            "ws" | "wss" => {
                let page = if scheme == "ws" { "http" } else { "https" };
                Err(format!("is the URL of a WebSocket: use the origin of the page, \"{page}://{rest}\""))
            }
            _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
                let web = WebOrigin::parse(text).map(Self::Web);
                web.ok_or_else(|| "is not an origin: use one like \"https://app.example.com\"".to_owned())
            }
            _ if !is_scheme(scheme) || !rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') => {
                Err("is not an origin: use one like \"capacitor://localhost\", scheme in lower case"
                    .to_owned())
            }
            _ => Ok(Self::Exact(text.to_owned())),
        }
    }
}

impl WebOrigin {
    /// The scheme, host and port of `http(s)://host[:port]`; `None` for everything else: `null`, user information, a
    /// path, other schemes.
    fn parse(origin: &str) -> Option<Self> {
        let (scheme, rest) = origin.split_once("://")?;
        let scheme = ["http", "https"].into_iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
        if rest.contains(['@', '/', '?', '#']) {
            return None;
        }
        let authority: Authority = rest.parse().ok()?;
        let host = authority.host().to_ascii_lowercase();
        let port = port(&authority, scheme)?;
        (!host.is_empty()).then_some(Self { scheme, host, port })
    }
}

/// Whether a text is a scheme as browsers write it, in lower case.
fn is_scheme(text: &str) -> bool {
    let other = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(other)
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
        let policy = OriginPolicy::default().allow("https://app.example.com").expect("an origin");
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

    #[test]
    fn origins_of_apps_are_compared_as_they_are() {
        let list = [
            "capacitor://localhost",
            "tauri://localhost",
            "chrome-extension://gfdkimpbcpahaombhbimeihdjnejgicl",
            "file://",
            "null",
        ];
        let policy = list.iter().try_fold(OriginPolicy::default(), |policy, origin| policy.allow(origin));
        let policy = policy.expect("origins");
        for origin in list {
            assert!(policy.accepts(Some(origin), Some("example.com"), None), "{origin}");
            assert!(!OriginPolicy::default().accepts(Some(origin), Some("localhost"), None), "{origin}");
        }
        for origin in
            ["Capacitor://localhost", "capacitor://localhost:80", "tauri://other", "file:///", "NULL"]
        {
            assert!(!policy.accepts(Some(origin), Some("example.com"), None), "{origin}");
        }
    }

    #[test]
    fn what_no_page_can_have_is_refused_with_the_remedy() {
        for (origin, remedy) in [
            ("https://app.example.com/", "use \"https://app.example.com\""),
            ("https://app.example.com/path", "use \"https://app.example.com\""),
            ("capacitor://localhost/", "use \"capacitor://localhost\""),
            ("app.example.com", "use \"https://app.example.com\""),
            ("*", "list each origin"),
            ("https://*.example.com", "list each origin"),
            ("wss://app.example.com", "use the origin of the page, \"https://app.example.com\""),
            ("https://user@app.example.com", "use one like \"https://app.example.com\""),
            ("https://app.example.com:99999", "use one like \"https://app.example.com\""),
            ("https://", "use one like \"https://app.example.com\""),
            ("", "use one like \"https://app.example.com\""),
            ("localhost:3000", "use one like"),
            ("Capacitor://localhost", "scheme in lower case"),
            ("https://a.example, https://b.example", "use"),
        ] {
            let error = OriginPolicy::default().allow(origin).expect_err(origin);
            assert_eq!(error.option, "allow_origin");
            assert!(error.reason.contains(remedy), "{error}");
        }
    }
}
