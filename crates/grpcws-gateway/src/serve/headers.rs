//! Headers that do not go on to the next server.

use http::HeaderMap;
use http::header::{
    CONNECTION, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;

/// Fields of one connection (RFC 9110 §7.6.1), but `te`, which gRPC needs; and those between a client and a proxy (§11.7),
/// which is what this server is to it.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
];

/// The headers of a request as the next server gets them: without the fields of its connection and those that
/// `connection` names, then with what that server cannot see. The other way round a client could have removed what was
/// set.
pub(super) fn forward(parts: &mut Parts) {
    let mut headers = parts.headers.clone();
    remove_hop_by_hop(&mut headers);
    grpcws::set_forwarded(parts, &mut headers);
    parts.headers = headers;
}

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

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    #[test]
    fn a_client_cannot_remove_what_the_gateway_says_of_it() {
        let request = Request::builder()
            .header("host", "gateway")
            .header("connection", "close, x-forwarded-for, x-forwarded-host, x-forwarded-proto")
            .header("x-forwarded-for", "192.0.2.1")
            .header("forwarded", "for=192.0.2.1")
            .extension(grpcws::PeerAddress(([127, 0, 0, 1], 1).into()));
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        forward(&mut parts);
        let forwarded = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
        assert_eq!(
            forwarded.map(|name| parts.headers[name].to_str().expect("text")),
            ["127.0.0.1", "gateway", "http"]
        );
        assert!(!parts.headers.contains_key("forwarded"));
    }

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
