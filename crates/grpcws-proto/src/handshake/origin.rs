//! Which origins may open a socket (PROTOCOL §10).

use std::net::{IpAddr, Ipv6Addr};

use http::uri::Authority;

use crate::OptionsError;

/// Which origins are accepted besides the host's own, and which hosts are the server's own. The default accepts no other
/// origin.
///
/// ```
/// use grpcws_proto::handshake::{OriginPolicy, Target};
///
/// let policy = OriginPolicy::default().allow("https://*.example.com")?.allow("capacitor://localhost")?;
/// let target = Target::host("api.example.com");
/// assert!(policy.accepts(Some("https://app.example.com"), target));
/// assert!(policy.accepts(Some("capacitor://localhost"), target));
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
    /// Empty: every host, but on loopback connections only names of loopback.
    hosts: Vec<Host>,
}

/// The host that a request is for, and what is known of the connection that it came on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// The `Host` header or the `:authority`.
    pub host: Option<&'a str>,
    /// Whether the connection is known to be encrypted, or known not to be; behind a proxy that ends TLS it is not known.
    pub secure: Option<bool>,
    /// Whether the connection's address on this side is a loopback address.
    pub loopback: bool,
}

impl<'a> Target<'a> {
    /// A request for this host, with nothing known of its connection.
    #[must_use]
    pub const fn host(host: &'a str) -> Self {
        Self { host: Some(host), secure: None, loopback: false }
    }
}

/// An origin, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// `http` or `https`: scheme and host in lower case, the default port filled in.
    Web(WebOrigin),
    /// Every host below that of this origin, by whole labels.
    Below(WebOrigin),
    /// `null`, or one of another scheme, as of an app or an extension: compared byte by byte.
    Exact(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct WebOrigin {
    scheme: &'static str,
    host: String,
    port: u16,
}

/// A host of the server's own, in lower case; without a port it is meant at every port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Host {
    name: String,
    port: Option<u16>,
}

/// Why an origin is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It is neither the origin of the host that was asked for nor on the allow-list.
    #[error("origin not allowed")]
    NotAllowed,
    /// It is the origin of the host that was asked for but for the scheme, which is not that of the connection.
    #[error("origin not allowed: its scheme is not the one by which the client connected")]
    Scheme,
    /// It is the origin of the host that was asked for, which is not the server's own.
    #[error("origin not allowed: its host is not the server's own; if it is, add it to hosts")]
    Host,
}

impl OriginPolicy {
    /// The same policy with one more allowed origin: `https://app.example.com`, `http://localhost:3000`;
    /// `https://*.example.com` for every host below `example.com`, but not for that itself; of an app or an extension
    /// `capacitor://localhost`, `chrome-extension://ID`, `file://`; `null`, which every sandboxed frame of every site has
    /// too.
    ///
    /// # Errors
    ///
    /// What is no origin, so that no page could ever have it: a path, no scheme, a wildcard that is not the first label.
    /// The error says how to write it.
    pub fn allow(mut self, origin: impl AsRef<str>) -> Result<Self, OptionsError> {
        let origin = origin.as_ref();
        let refused = |reason| OptionsError::new("allow_origin", format!("{origin:?} {reason}"));
        self.allowed.push(Origin::parse(origin).map_err(refused)?);
        Ok(self)
    }

    /// The same policy with one more host of the server's own: `api.example.com`, or `api.example.com:8443` for one port.
    ///
    /// With the first of them, a page is of the same origin only if its host is one of them. Without any, every host that
    /// a request names is the server's, but for connections to a loopback address: there `localhost`, `*.localhost`,
    /// `127.0.0.0/8` and `[::1]` are, and the hosts that are given here. Otherwise a page of any site could reach a
    /// server that listens on loopback, by a name that its owner lets resolve to `127.0.0.1` (DNS rebinding).
    ///
    /// # Errors
    ///
    /// What is no host: a URL, a wildcard, a port that is none.
    pub fn host(mut self, host: impl AsRef<str>) -> Result<Self, OptionsError> {
        let host = host.as_ref();
        let refused = |reason| OptionsError::new("hosts", format!("{host:?} {reason}"));
        self.hosts.push(Host::parse(host).map_err(refused)?);
        Ok(self)
    }

    /// The policy that accepts every origin. Only for services that hold nothing of a user's: any page can then call
    /// them from a visitor's browser.
    #[must_use]
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Whether a request with this `Origin`, for this target, is accepted.
    #[must_use]
    pub fn accepts(&self, origin: Option<&str>, target: Target<'_>) -> bool {
        self.check(origin, target).is_ok()
    }

    /// Checks the `Origin` of a request for this target.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn check(&self, origin: Option<&str>, target: Target<'_>) -> Result<(), OriginError> {
        let Some(origin) = origin else { return Ok(()) };
        if self.any {
            return Ok(());
        }
        let Some(web) = WebOrigin::parse(origin) else {
            let exact = |allowed: &Origin| matches!(allowed, Origin::Exact(text) if text == origin);
            return if self.allowed.iter().any(exact) { Ok(()) } else { Err(OriginError::NotAllowed) };
        };
        if self.allowed.iter().any(|allowed| allowed.covers(&web)) {
            return Ok(());
        }
        let host = target.host.and_then(|host| host.parse().ok());
        let host = host.filter(|host| web.is_of(host)).ok_or(OriginError::NotAllowed)?;
        if target.secure.is_some_and(|secure| secure != (web.scheme == "https")) {
            return Err(OriginError::Scheme);
        }
        if self.is_own(&host, target.loopback) { Ok(()) } else { Err(OriginError::Host) }
    }

    /// Whether the host that a request is for is the server's own; see [`host`](Self::host). For what answers requests
    /// without `Origin` from pages that can read the answer, such as a web server on the same port. A request that names
    /// no host does not come from a browser.
    #[must_use]
    pub fn accepts_host(&self, target: Target<'_>) -> bool {
        let Some(host) = target.host else { return true };
        host.parse().is_ok_and(|host| self.is_own(&host, target.loopback))
    }

    fn is_own(&self, host: &Authority, loopback: bool) -> bool {
        (loopback && is_loopback(host.host()))
            || (self.hosts.is_empty() && !loopback)
            || self.hosts.iter().any(|own| own.covers(host))
    }
}

/// Whether a host can only be the machine of who names it.
fn is_loopback(host: &str) -> bool {
    let localhost = |name: &str| name.eq_ignore_ascii_case("localhost");
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(
        |_| localhost(host) || host.rsplit_once('.').is_some_and(|(_, last)| localhost(last)),
        |address| address.to_canonical().is_loopback(),
    )
}

impl Origin {
    fn covers(&self, web: &WebOrigin) -> bool {
        match self {
            Self::Web(allowed) => allowed == web,
            Self::Below(parent) => {
                let label = web.host.strip_suffix(&parent.host).and_then(|below| below.strip_suffix('.'));
                (parent.scheme, parent.port) == (web.scheme, web.port)
                    && label.is_some_and(|label| {
                        !label.is_empty() && label.split('.').all(|label| !label.is_empty())
                    })
            }
            Self::Exact(_) => false,
        }
    }

    /// Reads an origin of an allow-list. An error says how to write it.
    fn parse(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Ok(Self::Exact(text.to_owned()));
        }
        if text == "*" {
            return Err(
                "is every origin of every site: list those that you know, or use allow_any_origin".to_owned()
            );
        }
        if text.contains('*') {
            return Self::parse_wildcard(text);
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

    /// `https://*.example.com`. A domain of one label is everybody's, but for `localhost`.
    fn parse_wildcard(text: &str) -> Result<Self, String> {
        let unusable =
            "has a wildcard where none can be: use one like \"https://*.example.com\", or list each origin";
        // What else is wrong with it is said as for an origin without a wildcard.
        const LABEL: &str = "0wildcard0.";
        if !text.contains("://*.") || text.matches('*').count() > 1 {
            return Err(unusable.to_owned());
        }
        let origin =
            Self::parse(&text.replacen("*.", LABEL, 1)).map_err(|reason| reason.replace(LABEL, "*."))?;
        let Self::Web(mut parent) = origin else { return Err(unusable.to_owned()) };
        parent.host = parent.host.replacen(LABEL, "", 1);
        let (below, last) = parent.host.rsplit_once('.').unwrap_or(("", &parent.host));
        let own = parent.host == "localhost" || !below.trim_matches('.').is_empty();
        // A name whose last label is a number is an address.
        if !own || last.is_empty() || last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unusable.to_owned());
        }
        Ok(Self::Below(parent))
    }
}

impl Host {
    /// Reads a host of a list. An error says how to write it.
    fn parse(text: &str) -> Result<Self, String> {
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(format!("is a URL: use \"{host}\""));
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(format!("is an IPv6 address: use \"[{text}]\""));
        }
        let unusable =
            || "is not a host: use one like \"api.example.com\" or \"api.example.com:8443\"".to_owned();
        let authority: Authority = text.parse().map_err(|_| unusable())?;
        let name = authority.host().to_ascii_lowercase();
        let after = authority.as_str().get(name.len()..).unwrap_or_default();
        let port = after.strip_prefix(':').map(|port| port.parse().map_err(|_| unusable())).transpose()?;
        if name.is_empty() || text.contains(['@', '*']) || (port.is_none() && !after.is_empty()) {
            return Err(unusable());
        }
        Ok(Self { name, port })
    }

    fn covers(&self, host: &Authority) -> bool {
        let named = ["http", "https"].map(|scheme| port(host, scheme));
        host.host().eq_ignore_ascii_case(&self.name)
            && !host.as_str().contains('@')
            && self.port.is_none_or(|own| named.contains(&Some(own)))
    }
}

impl WebOrigin {
    /// Whether it is the origin of this host, by some scheme.
    fn is_of(&self, host: &Authority) -> bool {
        host.host().eq_ignore_ascii_case(&self.host)
            && port(host, self.scheme) == Some(self.port)
            && !host.as_str().contains('@')
    }

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
            assert!(policy.accepts(origin, Target { host, ..Target::default() }), "{origin:?} {host:?}");
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
            assert!(!policy.accepts(Some(origin), Target::host("example.com")), "{origin}");
        }
        assert!(policy.accepts(Some("https://app.example.com:443"), Target::host("example.com")));
        let secure = Target { secure: Some(true), ..Target::host("example.com") };
        assert!(!policy.accepts(Some("http://example.com"), secure));
        assert!(!policy.accepts(Some("http://example.com"), Target::default()));
        assert!(OriginPolicy::any().accepts(Some("null"), Target::default()));
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
            assert!(policy.accepts(Some(origin), Target::host("example.com")), "{origin}");
            assert!(!OriginPolicy::default().accepts(Some(origin), Target::host("localhost")), "{origin}");
        }
        for origin in
            ["Capacitor://localhost", "capacitor://localhost:80", "tauri://other", "file:///", "NULL"]
        {
            assert!(!policy.accepts(Some(origin), Target::host("example.com")), "{origin}");
        }
    }

    #[test]
    fn what_no_page_can_have_is_refused_with_the_remedy() {
        for (origin, remedy) in [
            ("https://app.example.com/", "use \"https://app.example.com\""),
            ("https://app.example.com/path", "use \"https://app.example.com\""),
            ("capacitor://localhost/", "use \"capacitor://localhost\""),
            ("app.example.com", "use \"https://app.example.com\""),
            ("*", "use allow_any_origin"),
            ("https://*.com", "list each origin"),
            ("https://app.*.example.com", "list each origin"),
            ("https://*app.example.com", "list each origin"),
            ("https://*.*.example.com", "list each origin"),
            ("https://*.192.0.2.1", "list each origin"),
            ("https://*.0.0.1", "list each origin"),
            ("https://*.example.com/", "use \"https://*.example.com\""),
            ("wss://*.example.com", "use the origin of the page, \"https://*.example.com\""),
            ("chrome-extension://*", "list each origin"),
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

    #[test]
    fn a_wildcard_stands_for_whole_labels_below_a_domain() {
        let policy = OriginPolicy::default().allow("https://*.example.com").expect("an origin");
        let policy = policy.allow("http://*.localhost:3000").expect("an origin");
        for origin in ["https://a.example.com", "https://A.b.Example.com:443", "http://tenant.localhost:3000"]
        {
            assert!(policy.accepts(Some(origin), Target::default()), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "https://a..example.com",
            "https://evilexample.com",
            "https://a.example.com.evil.test",
            "http://a.example.com",
            "https://a.example.com:8443",
            "http://tenant.localhost",
            "http://localhost:3000",
        ] {
            assert!(!policy.accepts(Some(origin), Target::default()), "{origin}");
        }
    }

    #[test]
    fn on_loopback_connections_only_names_of_loopback_are_the_servers_own() {
        let accepts = |policy: &OriginPolicy, host: &str| {
            let target = Target { loopback: true, ..Target::host(host) };
            let origin = format!("http://{host}");
            let accepted = policy.accepts(Some(&origin), target);
            assert_eq!(policy.accepts_host(target), accepted, "{host}");
            accepted
        };
        let policy = OriginPolicy::default();
        for host in
            ["localhost", "LOCALHOST:8080", "app.localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"]
        {
            assert!(accepts(&policy, host), "{host}");
        }
        for host in ["evil.test", "evil.test:8080", "localhost.evil.test", "127.0.0.1.evil.test", "192.0.2.1"]
        {
            assert!(!accepts(&policy, host), "{host}");
        }
        // Origins of the allow-list count as ever, and so do the hosts of the option.
        let allowed = policy.clone().allow("http://evil.test").expect("an origin");
        let target = Target { loopback: true, ..Target::host("evil.test") };
        assert!(allowed.accepts(Some("http://evil.test"), target));
        assert!(!allowed.accepts_host(target));
        let own = policy.clone().host("evil.test").expect("a host");
        assert!(accepts(&own, "evil.test:8080") && accepts(&own, "localhost"));
        assert!(policy.accepts_host(Target { host: None, ..target }), "it is no browser");
    }

    #[test]
    fn hosts_of_the_servers_own_are_the_only_ones_of_the_same_origin() {
        let policy = OriginPolicy::default().host("API.example.com").expect("a host");
        let policy = policy.host("other.example.com:8443").expect("a host");
        for (host, own) in [
            ("api.example.com", true),
            ("api.example.com:81", true),
            ("other.example.com:8443", true),
            ("other.example.com", false),
            ("evil.test", false),
            ("localhost", false),
        ] {
            let origin = format!("http://{host}");
            assert_eq!(policy.accepts(Some(&origin), Target::host(host)), own, "{host}");
            assert_eq!(policy.accepts_host(Target::host(host)), own, "{host}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_the_remedy() {
        for (host, remedy) in [
            ("https://api.example.com/x", "use \"api.example.com\""),
            ("*.example.com", "use one like \"api.example.com\""),
            ("api.example.com/x", "use one like"),
            ("api.example.com:99999", "use one like"),
            ("a@api.example.com", "use one like"),
            ("::1", "use \"[::1]\""),
            ("", "use one like"),
        ] {
            let error = OriginPolicy::default().host(host).expect_err(host);
            assert_eq!(error.option, "hosts");
            assert!(error.reason.contains(remedy), "{error}");
        }
    }
}
