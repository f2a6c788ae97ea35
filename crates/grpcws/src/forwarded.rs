//! What the upstream is told of the client's connection.

use std::net::SocketAddr;

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The address of the client's end of a connection. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does; the bridge tells it to the upstream as `x-forwarded-for`.
///
/// Behind a proxy it is the proxy's address: what a proxy says of its own clients is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the server's end of a connection. A server puts it into the extensions of its requests, as
/// [`server::serve`](crate::server::serve) does. Where it is a loopback address, the same-origin default counts only for
/// names of loopback ([`OriginPolicy::host`](crate::proto::handshake::OriginPolicy::host)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress(pub SocketAddr);

/// Says in `x-forwarded-for`, `-host` and `-proto` what the next server cannot see of a request. What the client says
/// there is replaced, and its `forwarded` removed: none of it can be vouched for.
///
/// The scheme is the one of the connection to this process, `http`, whatever the client claims in `:scheme`.
pub fn set_forwarded(request: &Parts, headers: &mut HeaderMap) {
    headers.remove(FORWARDED);
    let address = peer(request).and_then(|address| HeaderValue::try_from(address.ip().to_string()).ok());
    let authority =
        request.uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    // A copy: the request's own value keeps all that was read of the connection by then, for as long as the call lives.
    let host = authority.or_else(|| HeaderValue::from_bytes(request.headers.get(HOST)?.as_bytes()).ok());
    let scheme = Some(HeaderValue::from_static("http"));
    for (name, value) in [(FORWARDED_FOR, address), (FORWARDED_HOST, host), (FORWARDED_PROTO, scheme)] {
        match value {
            Some(value) => _ = headers.insert(name, value),
            None => _ = headers.remove(name),
        }
    }
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
