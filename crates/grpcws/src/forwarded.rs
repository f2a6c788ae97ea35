//! What the upstream is told of the client's connection.

use std::net::SocketAddr;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Scheme;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Names other than `x-forwarded-…` under which proxies say who their client is. A server behind may believe each of them.
const CLAIMS: [&str; 21] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "front-end-https",
    "true-client-ip",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-original-forwarded-for",
    "x-original-host",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-scheme",
    "x-url-scheme",
    "x-via-client-ip",
];

/// The address of the client. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does; the bridge tells it to the upstream as `x-forwarded-for`.
///
/// Behind a proxy it is the proxy's address, unless the server trusts that (`TrustedProxies`): then it is the one that the
/// proxy names, by the PROXY protocol or by `x-forwarded-for`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the server's end of a connection. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does. Where it is a loopback address, the same-origin default counts only for
/// names of loopback ([`OriginPolicy::host`](crate::proto::handshake::OriginPolicy::host)). Other servers, such as
/// `axum::serve`, do not tell it: there that rule is off unless a layer adds this extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// How the client connected, `http` or `https`, if that is known: an extension of the request. A plain connection alone does
/// not tell, since something in front may end TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientScheme(pub Scheme);

/// Says in `x-forwarded-for`, `-host` and `-proto` what the next server cannot see of a request. What the request says
/// there is replaced. All other `x-forwarded-…`, `forwarded`, `x-real-ip` and the like are removed, since the client may have
/// made them up: a trusted proxy may pass on what it does not write itself.
///
/// The scheme is the [`ClientScheme`]. If that is not known, it is the one of the connection to this process, `http`,
/// whatever the client claims in `:scheme`.
pub fn set_forwarded(request: &Parts, headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
    let address = peer(request).and_then(|address| HeaderValue::try_from(address.ip().to_string()).ok());
    let authority =
        request.uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    // A copy: the request's own value keeps all that was read of the connection by then, for as long as the call lives.
    let host = authority.or_else(|| HeaderValue::from_bytes(request.headers.get(HOST)?.as_bytes()).ok());
    let secure = is_secure(request) == Some(true);
    let scheme = Some(HeaderValue::from_static(if secure { "https" } else { "http" }));
    for (name, value) in [(FORWARDED_FOR, address), (FORWARDED_HOST, host), (FORWARDED_PROTO, scheme)] {
        match value {
            Some(value) => _ = headers.insert(name, value),
            None => _ = headers.remove(name),
        }
    }
}

/// Whether a header says who the client is. Servers that hand headers on as variables, as CGI does, take `_` for `-`.
fn is_claim(name: &str) -> bool {
    let name = name.replace('_', "-");
    name.starts_with("x-forwarded") || CLAIMS.contains(&name.as_str())
}

/// Whether the client's connection is encrypted, if that is known.
pub(crate) fn is_secure(request: &Parts) -> Option<bool> {
    request.extensions.get::<ClientScheme>().map(|scheme| scheme.0 == Scheme::HTTPS)
}

/// The address of the client's end of the connection, if the server tells it.
pub(crate) fn peer(request: &Parts) -> Option<SocketAddr> {
    if let Some(PeerAddress(address)) = request.extensions.get() {
        return Some(*address);
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = request.extensions.get() {
        return Some(*address);
    }
    None
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn what_a_client_may_have_made_up_is_removed() {
        let mut request = Request::get("/").body(()).expect("a request");
        request.extensions_mut().insert(PeerAddress(([192, 0, 2, 7], 4711).into()));
        request.extensions_mut().insert(ClientScheme(Scheme::HTTPS));
        let mut headers = HeaderMap::new();
        for name in CLAIMS.into_iter().chain([
            "x-forwarded",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
            "x_forwarded_for",
            "x_real_ip",
        ]) {
            headers.append(name, HeaderValue::from_static("8.8.8.8"));
        }
        headers.insert("x-request-id", HeaderValue::from_static("7"));
        set_forwarded(&request.into_parts().0, &mut headers);
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("text"))).collect();
        left.sort_unstable();
        let told = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"), ("x-request-id", "7")];
        assert_eq!(left, told);
    }

    #[test]
    fn the_host_is_a_copy() {
        let request = Request::get("/").header(HOST, "a.test").body(()).expect("a request");
        let (request, ()) = request.into_parts();
        let mut headers = HeaderMap::new();
        set_forwarded(&request, &mut headers);
        let (host, told) = (&request.headers[HOST], &headers[FORWARDED_HOST]);
        assert_eq!(host, told);
        // A value that shares the memory would keep all that was read of the connection.
        assert_ne!(host.as_bytes().as_ptr(), told.as_bytes().as_ptr());
    }
}
