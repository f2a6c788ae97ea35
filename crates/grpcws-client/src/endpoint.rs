//! The URL of a gateway, taken apart.

use http::Uri;
use http::uri::PathAndQuery;

use crate::{ClientError, Status};

/// The prefix of the generic route where a URL has no path. One that is a slash has no prefix.
const DEFAULT_PREFIX: &str = "/ws";

/// Where a gateway is.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `HOST[:PORT]` as the URL has it, for `Host` and `:authority`.
    pub(crate) authority: String,
    prefix: String,
}

impl Endpoint {
    pub(crate) fn parse(url: &str) -> Result<Self, ClientError> {
        let error = |reason| ClientError::Url { url: url.to_owned(), reason };
        let uri: Uri = url.parse().map_err(|_| error("it does not parse"))?;
        let tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(error("the scheme is neither ws nor wss")),
        };
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| error("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(error("it has user information, which belongs in metadata"));
        }
        if uri.query().is_some() {
            return Err(error("it has a query"));
        }
        // An address of IPv6 stands in brackets in a URL and without them everywhere else.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.port_u16() {
            Some(0) => return Err(error("port 0 is none that can be connected to")),
            Some(port) => port,
            // A port that is none would lead to another server.
            None if authority.as_str().len() > authority.host().len() => {
                return Err(error("its port is not a number from 1 to 65535"));
            }
            None if tls => 443,
            None => 80,
        };
        // The parser makes one slash of a path that is not there.
        let has_path = url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
        let prefix = if has_path { uri.path().trim_end_matches('/') } else { DEFAULT_PREFIX }.to_owned();
        Ok(Self { tls, host, port, authority: authority.as_str().to_owned(), prefix })
    }

    /// The path of a method, or of a bound route with its query, below the prefix.
    pub(crate) fn path(&self, method: &str) -> Result<PathAndQuery, Status> {
        let method = method.strip_prefix('/').unwrap_or(method);
        let path = format!("{}/{method}", self.prefix);
        PathAndQuery::try_from(path).ok().filter(|_| !method.is_empty()).ok_or_else(|| {
            Status::invalid_argument(format!("{method:?} is not the name of a method or a path"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in() {
        let endpoint = Endpoint::parse("ws://example.com").expect("valid");
        assert_eq!((endpoint.tls, endpoint.port, endpoint.host.as_str()), (false, 80, "example.com"));
        assert_eq!(endpoint.path("a.B/C").expect("valid"), "/ws/a.B/C");
        let endpoint = Endpoint::parse("wss://[::1]:8443/api/ws/").expect("valid");
        assert_eq!((endpoint.tls, endpoint.port, endpoint.host.as_str()), (true, 8443, "::1"));
        assert_eq!(endpoint.authority, "[::1]:8443");
        assert_eq!(endpoint.path("/counters/a?to=2").expect("valid"), "/api/ws/counters/a?to=2");
    }

    #[test]
    fn a_path_that_is_a_slash_is_no_prefix() {
        for (url, path) in [
            ("ws://example.com", "/ws/a.B/C"),
            ("ws://example.com/", "/a.B/C"),
            ("ws://example.com:80/", "/a.B/C"),
            ("ws://[::1]//", "/a.B/C"),
            ("ws://example.com/ws/", "/ws/a.B/C"),
        ] {
            assert_eq!(Endpoint::parse(url).expect("valid").path("a.B/C").expect("valid"), path, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, reason) in [
            ("http://example.com", "scheme"),
            ("example.com", "scheme"),
            ("ws://", "parse"),
            ("ws://user@example.com", "user"),
            ("ws://example.com/ws?x=1", "query"),
            ("ws://example.com:211000", "1 to 65535"),
            ("ws://example.com:", "1 to 65535"),
            ("wss://[::1]:65536/ws", "1 to 65535"),
            ("ws://example.com:0", "port 0"),
        ] {
            let error = Endpoint::parse(url).expect_err(url).to_string();
            assert!(error.contains(reason), "{error}");
        }
        let endpoint = Endpoint::parse("ws://example.com").expect("valid");
        assert!(endpoint.path("").is_err() && endpoint.path("a b").is_err());
    }
}
