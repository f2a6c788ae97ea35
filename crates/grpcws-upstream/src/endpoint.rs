//! Where an upstream is.

use std::path::PathBuf;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::error::UpstreamError;

/// Where an upstream is, and what it is called in requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// The `:authority` of requests, unless the options say another.
    pub(crate) authority: Authority,
}

/// What has to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A host name or IP literal, and a port.
    Host {
        /// Without the brackets of an IPv6 literal.
        host: String,
        port: u16,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl Endpoint {
    /// Reads `http://host:port`, `https://host:port`, `unix:/path` or `unix:///path`.
    pub(crate) fn parse(text: &str) -> Result<Self, UpstreamError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(text, path);
        }
        let invalid = |why| UpstreamError::Endpoint { endpoint: text.to_owned(), why };
        let uri: Uri = text.parse().map_err(|_| invalid("it is not a URI"))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err(invalid("it has to begin with http://, https:// or unix:")),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(invalid("it must not have a path: the path of a call is its method"));
        }
        let authority = uri.authority().ok_or_else(|| invalid("it has no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(invalid("it must not have a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(invalid("it has no host"));
        }
        // `Authority::port` passes over a port that is none.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" if tls => 443,
            "" => 80,
            port => port.trim_start_matches(':').parse().map_err(|_| invalid("its port is not a number"))?,
        };
        let target = Target::Host { host: host.to_owned(), port };
        Ok(Self { target, tls, authority })
    }

    fn unix(text: &str, path: &str) -> Result<Self, UpstreamError> {
        let invalid = |why| UpstreamError::Endpoint { endpoint: text.to_owned(), why };
        let path = match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => return Err(invalid("unix:// takes an absolute path, as in unix:///run/grpc.sock")),
            None => path,
        };
        if path.is_empty() {
            return Err(invalid("it has no path"));
        }
        if cfg!(not(unix)) {
            return Err(invalid("this system has no unix sockets"));
        }
        Ok(Self {
            target: Target::Unix(PathBuf::from(path)),
            tls: false,
            authority: Authority::from_static("localhost"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> (String, u16, bool) {
        let endpoint = Endpoint::parse(text).unwrap();
        match endpoint.target {
            Target::Host { host, port } => (host, port, endpoint.tls),
            Target::Unix(_) => panic!("{text} is no unix socket"),
        }
    }

    #[test]
    fn hosts_have_a_default_port() {
        assert_eq!(host("http://example.test:50051"), ("example.test".into(), 50051, false));
        assert_eq!(host("http://example.test/"), ("example.test".into(), 80, false));
        assert_eq!(host("https://example.test"), ("example.test".into(), 443, true));
        assert_eq!(host("https://[::1]:7"), ("::1".into(), 7, true));
    }

    #[test]
    fn unix_sockets_have_two_forms() {
        for (text, path) in [("unix:/run/a.sock", "/run/a.sock"), ("unix:///run/a.sock", "/run/a.sock")] {
            assert_eq!(Endpoint::parse(text).unwrap().target, Target::Unix(PathBuf::from(path)));
        }
    }

    #[test]
    fn what_is_malformed_is_refused_with_a_reason() {
        for text in [
            "",
            "example.test:50051",
            "ftp://example.test",
            "http://",
            "http://:50051",
            "http://example.test/path",
            "http://example.test/?q",
            "http://user@example.test",
            "http://example.test:99999",
            "unix:",
            "unix://relative",
        ] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
