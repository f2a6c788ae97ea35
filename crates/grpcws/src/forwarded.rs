//! What the upstream is told of the client's connection.

use std::net::SocketAddr;

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Scheme;

pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Other headers in which proxies say who their client is. A server behind them may believe each of them.
const ALIKE: [HeaderName; 17] = [
    FORWARDED,
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("cf-connecting-ipv6"),
    HeaderName::from_static("fastly-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-envoy-external-address"),
    HeaderName::from_static("x-forwarded"),
    HeaderName::from_static("x-forwarded-by"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-original-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// The address of the client. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does; the bridge tells it to the upstream as `x-forwarded-for`.
///
/// Behind a proxy it is the proxy's address, unless the server trusts that (`TrustedProxies`): then it is what the proxy
/// says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the server's end of a connection. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does. Where it is a loopback address, the same-origin default counts only for
/// names of loopback ([`OriginPolicy::host`](crate::proto::handshake::OriginPolicy::host)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// The request came through a proxy whose headers are believed: an extension of the request, beside [`PeerAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy;

/// How the client connected, `http` or `https`, if that is known: an extension of the request. A plain connection alone does
/// not tell, since something in front may end TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientScheme(pub Scheme);

/// Says in `x-forwarded-for`, `-host` and `-proto` what the next server cannot see of a request. What the client says
/// there is replaced, and headers in which others say the same, such as `forwarded` and `x-real-ip`, are removed: none of
/// it can be vouched for. Those of a [`TrustedProxy`] pass.
///
/// The scheme is the [`ClientScheme`]. If that is not known, it is the one of the connection to this process, `http`,
/// whatever the client claims in `:scheme`.
pub fn set_forwarded(request: &Parts, headers: &mut HeaderMap) {
    if request.extensions.get::<TrustedProxy>().is_none() {
        for name in &ALIKE {
            headers.remove(name);
        }
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
    fn what_a_stranger_says_of_itself_is_removed_and_what_a_trusted_proxy_says_passes() {
        let told = |trusted: bool| {
            let mut request = Request::get("/").body(()).expect("a request");
            request.extensions_mut().insert(PeerAddress(([192, 0, 2, 7], 4711).into()));
            if trusted {
                request.extensions_mut().insert(TrustedProxy);
                request.extensions_mut().insert(ClientScheme(Scheme::HTTPS));
            }
            let mut headers = HeaderMap::new();
            for name in ALIKE.into_iter().chain([FORWARDED_FOR, FORWARDED_PROTO]) {
                headers.append(name, HeaderValue::from_static("8.8.8.8"));
            }
            set_forwarded(&request.into_parts().0, &mut headers);
            let [client, scheme] =
                [&FORWARDED_FOR, &FORWARDED_PROTO].map(|name| headers[name].to_str().expect("text"));
            (client.to_owned(), scheme.to_owned(), headers.len())
        };
        assert_eq!(told(false), ("192.0.2.7".to_owned(), "http".to_owned(), 2));
        assert_eq!(told(true), ("192.0.2.7".to_owned(), "https".to_owned(), 2 + ALIKE.len()));
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
