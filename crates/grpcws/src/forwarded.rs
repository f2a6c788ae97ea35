//! What the upstream is told of the client's connection.

use std::net::SocketAddr;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
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

/// Adds `x-forwarded-for`, `-host` and `-proto`, which no client can set (PROTOCOL §9.1).
pub(crate) fn append(request: &Parts, metadata: &mut HeaderMap) {
    if let Some(address) = peer(request)
        && let Ok(value) = HeaderValue::try_from(address.ip().to_string())
    {
        metadata.insert(FORWARDED_FOR, value);
    }
    let authority = request.uri.authority().and_then(|authority| authority.as_str().parse().ok());
    if let Some(host) = authority.or_else(|| request.headers.get(HOST).cloned()) {
        metadata.insert(FORWARDED_HOST, host);
    }
    let scheme = request.uri.scheme_str().unwrap_or("http");
    if let Ok(scheme) = HeaderValue::try_from(scheme) {
        metadata.insert(FORWARDED_PROTO, scheme);
    }
}

fn peer(request: &Parts) -> Option<SocketAddr> {
    if let Some(PeerAddress(address)) = request.extensions.get() {
        return Some(*address);
    }
    #[cfg(feature = "axum")]
    if let Some(axum::extract::ConnectInfo(address)) = request.extensions.get() {
        return Some(*address);
    }
    None
}
