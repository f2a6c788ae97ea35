//! Headers that do not go on to the next server.

use http::HeaderMap;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};

/// Fields of one connection (RFC 9110 §7.6.1), but `te`, which gRPC needs.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// Removes the fields of a connection, and those that `connection` names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Says in `x-forwarded-*` what the next server cannot see; what the client says of itself there is replaced.
pub(super) fn set_forwarded(parts: &mut http::request::Parts) {
    let host = parts.uri.authority().and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    let host = host.or_else(|| parts.headers.get(HOST).cloned());
    let peer = parts.extensions.get::<grpcws::PeerAddress>().map(|peer| peer.0.ip().to_string());
    let values = [
        ("x-forwarded-for", peer.and_then(|address| address.try_into().ok())),
        ("x-forwarded-host", host),
        ("x-forwarded-proto", Some(HeaderValue::from_static("http"))),
    ];
    parts.headers.remove("forwarded");
    for (name, value) in values {
        match value {
            Some(value) => _ = parts.headers.insert(name, value),
            None => _ = parts.headers.remove(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip"),
            ("x-kept", "1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
        headers.insert(TE, HeaderValue::from_static("trailers"));
        remove_hop_by_hop(&mut headers);
        assert!(headers.contains_key(TE));
    }
}
