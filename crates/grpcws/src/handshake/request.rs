//! What a request must be to open a WebSocket (RFC 6455 §4.2.1, RFC 8441 §5).

use grpcws_proto::Mode;
use grpcws_proto::handshake::Offer;
use http::header::{self, AsHeaderName, HeaderMap, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Extensions, Method, Request, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use tungstenite::handshake::derive_accept_key;

use super::Refusal;
use crate::options::ConnectionOptions;
use crate::transport::Http2Connection;

/// What is needed to answer a handshake with an upgrade.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) on_upgrade: OnUpgrade,
    /// The value of `Sec-WebSocket-Accept`; `None` over HTTP/2.
    pub(super) accept_key: Option<String>,
    /// The HTTP/2 connection that it came on, if it is one and the server tells.
    pub(super) connection: Option<Http2Connection>,
}

/// Checks a handshake, and takes the means to upgrade its connection out of it.
pub(super) fn check(
    parts: &mut Parts,
    options: &ConnectionOptions,
) -> Result<(Upgrade, Mode, Offer), Refusal> {
    let accept_key = if parts.version >= Version::HTTP_2 { check_http2(parts)? } else { check_http1(parts)? };
    let (mode, offer) = check_headers(parts, options)?;
    let on_upgrade = parts
        .extensions
        .remove::<OnUpgrade>()
        .ok_or(Refusal::NotWebSocket("the server does not support upgrades on this connection"))?;
    let connection = parts.extensions.remove::<Http2Connection>();
    Ok((Upgrade { on_upgrade, accept_key, connection }, mode, offer))
}

/// Checks the part of a handshake that a probe has too.
pub(super) fn check_headers(parts: &Parts, options: &ConnectionOptions) -> Result<(Mode, Offer), Refusal> {
    let size = header_size(&parts.headers);
    if size > options.max_header_size {
        return Err(Refusal::HeaderSize(options.max_header_size));
    }
    options.check_origin(parts)?;
    let offer = Offer::from_headers(&parts.headers);
    let mode = offer.select(&options.modes)?;
    Ok((mode, offer))
}

/// Whether a request asks for a WebSocket, by the upgrade of HTTP/1.1 or the extended CONNECT of HTTP/2, be it well
/// formed or not.
pub fn is_handshake<B>(request: &Request<B>) -> bool {
    asks_for_websocket(request.version(), request.headers(), request.extensions())
}

/// [`is_handshake`], by the parts of a request.
pub(crate) fn asks_for_websocket(version: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    if version >= Version::HTTP_2 {
        let protocol = extensions.get::<Protocol>();
        return protocol.is_some_and(|protocol| protocol.as_str().eq_ignore_ascii_case("websocket"));
    }
    has_token(headers, header::UPGRADE, "websocket")
}

fn check_http1(parts: &Parts) -> Result<Option<String>, Refusal> {
    let headers = &parts.headers;
    if parts.method != Method::GET {
        return Err(Refusal::NotWebSocket("the method is not GET"));
    }
    if parts.version < Version::HTTP_11 {
        return Err(Refusal::NotWebSocket("HTTP/1.0 has no upgrades"));
    }
    if !has_token(headers, header::UPGRADE, "websocket") {
        return Err(Refusal::NotWebSocket("there is no \"Upgrade: websocket\""));
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Refusal::Malformed("there is no \"Connection: Upgrade\""));
    }
    if !single(headers, header::HOST).is_some_and(is_host) {
        return Err(Refusal::Malformed("there is not one Host header with a host"));
    }
    if headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
    {
        return Err(Refusal::Malformed("it has a body"));
    }
    check_version(headers)?;
    let key = single(headers, header::SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key.as_bytes()))
        .ok_or(Refusal::Malformed("Sec-WebSocket-Key is not base64 of 16 bytes"))?;
    Ok(Some(derive_accept_key(key.as_bytes())))
}

/// Whether a value is a host with or without a port (RFC 9110 §7.2).
fn is_host(value: &HeaderValue) -> bool {
    let authority = Authority::try_from(value.as_bytes());
    authority.is_ok_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
}

fn check_http2(parts: &Parts) -> Result<Option<String>, Refusal> {
    let protocol = parts.extensions.get::<Protocol>();
    if parts.method != Method::CONNECT || protocol.is_none_or(|protocol| protocol.as_str() != "websocket") {
        return Err(Refusal::NotWebSocket("the request is not a CONNECT with :protocol websocket"));
    }
    check_version(&parts.headers)?;
    Ok(None)
}

fn check_version(headers: &HeaderMap) -> Result<(), Refusal> {
    let version = single(headers, header::SEC_WEBSOCKET_VERSION);
    if version.is_some_and(|version| version == "13") { Ok(()) } else { Err(Refusal::Version) }
}

/// The value of a header that occurs exactly once.
pub(crate) fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

pub(super) fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    let values = headers.get_all(name);
    let mut tokens = values.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tokens.any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// Whether a key is base64 of 16 bytes: 22 characters of the alphabet and two of padding.
fn is_key(key: &[u8]) -> bool {
    let alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.strip_suffix(b"=="), Some(digits) if digits.len() == 22 && digits.iter().all(alphabet))
}

/// The bytes of all headers but the cookies: a page cannot choose which of them the browser sends.
fn header_size(headers: &HeaderMap) -> u64 {
    let counted = headers.iter().filter(|(name, _)| *name != header::COOKIE);
    let sizes = counted.map(|(name, value)| name.as_str().len() + value.len());
    u64::try_from(sizes.sum::<usize>()).unwrap_or(u64::MAX)
}
