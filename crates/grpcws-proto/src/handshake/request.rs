//! What a client offers: the mode, and its metadata in the names of sub-protocols (PROTOCOL §3.3).

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::offer::{BEARER, METADATA};
use crate::encoding::base64url_encode;
use crate::metadata::{is_reserved, push_string};
use crate::{Mode, Status};

/// The value of `Sec-WebSocket-Protocol` with which a client asks for a mode and sends metadata.
///
/// Each value of the metadata goes as it is: those of names that end in `-bin` are base64 already, as in gRPC
/// over HTTP/2. `authorization: Bearer TOKEN` becomes the bearer element. `grpc-timeout` and `grpcws-credit` pass;
/// names that a gateway drops anyway (§9.1), such as `te`, `content-type` and `user-agent`, are left out.
///
/// The value is marked as sensitive.
///
/// # Errors
///
/// A status with code 3 for a value that is not printable ASCII, and with code 13 for [`Mode::Seed`], which has
/// no name to carry metadata beside.
///
/// # Examples
///
/// ```
/// use grpcws_proto::Mode;
/// use grpcws_proto::handshake::subprotocols;
///
/// let mut metadata = http::HeaderMap::new();
/// metadata.insert("authorization", "Bearer t".parse()?);
/// let offer = subprotocols(Mode::V1Json, &metadata)?;
/// assert_eq!(offer, "grpcws.v1.json, grpcws.bearer.dA");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn subprotocols(mode: Mode, metadata: &HeaderMap) -> Result<HeaderValue, Status> {
    let name = mode.subprotocol().ok_or_else(|| {
        Status::new(crate::Code::Internal, "seed mode has no sub-protocol: send metadata as headers")
    })?;
    let mut offer = name.to_owned();
    let bearer = bearer(metadata);
    if let Some(token) = bearer {
        offer.push_str(", ");
        offer.push_str(BEARER);
        offer.push_str(&base64url_encode(token.as_bytes()));
    }
    let mut object = String::new();
    for name in metadata.keys().filter(|name| passes(name) && (bearer.is_none() || **name != AUTHORIZATION)) {
        object.push(if object.is_empty() { '{' } else { ',' });
        push_values(metadata, name, &mut object)?;
    }
    if !object.is_empty() {
        object.push('}');
        offer.push_str(", ");
        offer.push_str(METADATA);
        offer.push_str(&base64url_encode(object.as_bytes()));
    }
    let mut offer = HeaderValue::try_from(offer).expect("names and base64url are visible ASCII");
    offer.set_sensitive(true);
    Ok(offer)
}

fn passes(name: &HeaderName) -> bool {
    matches!(name.as_str(), "grpc-timeout" | "grpcws-credit") || !is_reserved(name.as_str())
}

/// The token, where `authorization` has the one value that the bearer element can carry.
fn bearer(metadata: &HeaderMap) -> Option<&str> {
    let mut values = metadata.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
    Some(token).filter(|token| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// `"name":["value",…]`.
fn push_values(metadata: &HeaderMap, name: &HeaderName, object: &mut String) -> Result<(), Status> {
    push_string(name.as_str(), object);
    let mut separator = ":[";
    for value in metadata.get_all(name) {
        let printable = value.to_str().ok().filter(|text| !text.contains('\t'));
        let text = printable
            .ok_or_else(|| Status::invalid_argument(format!("the value of {name} is not printable ASCII")))?;
        object.push_str(separator);
        push_string(text, object);
        separator = ",";
    }
    object.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::handshake::Offer;
    use crate::metadata::{MetadataPolicy, RequestMetadata};

    fn metadata(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        entries.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn received(sent: &HeaderMap) -> RequestMetadata {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-protocol", subprotocols(Mode::V1Proto, sent).expect("valid"));
        let offer = Offer::from_headers(&headers);
        assert_eq!(offer.select(&[Mode::V1Json, Mode::V1Proto]), Ok(Mode::V1Proto));
        RequestMetadata::collect(&headers, &offer, &MetadataPolicy::default()).expect("valid")
    }

    #[test]
    fn the_gateway_reads_what_the_client_offers() {
        let mut sent = HeaderMap::new();
        sent.append("x-room", HeaderValue::from_static("blue \"1\""));
        sent.append("x-room", HeaderValue::from_static(""));
        sent.append("x-key-bin", HeaderValue::from_static("CP8"));
        sent.append("authorization", HeaderValue::from_static("Basic dTpw"));
        sent.append("grpc-timeout", HeaderValue::from_static("5S"));
        sent.append("grpcws-credit", HeaderValue::from_static("7"));
        let read = received(&sent);
        assert_eq!((read.timeout, read.credit), (Some(Duration::from_secs(5)), Some(7)));
        for name in ["grpc-timeout", "grpcws-credit"] {
            sent.remove(name);
        }
        assert_eq!(read.metadata, sent);
    }

    #[test]
    fn names_of_the_transport_are_left_out() {
        let sent = metadata(&[("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "u")]);
        assert_eq!(subprotocols(Mode::V1Json, &sent).expect("valid"), "grpcws.v1.json");
    }

    #[test]
    fn a_bearer_token_has_its_own_element() {
        let sent = metadata(&[("authorization", "Bearer t"), ("x", "1")]);
        let offer = subprotocols(Mode::V1Json, &sent).expect("valid");
        assert!(offer.is_sensitive());
        // The object is {"x":["1"]}.
        assert_eq!(offer, "grpcws.v1.json, grpcws.bearer.dA, grpcws.metadata.eyJ4IjpbIjEiXX0");
        assert_eq!(received(&sent).metadata, sent);
    }

    #[test]
    fn what_is_not_text_is_refused() {
        let mut sent = HeaderMap::new();
        sent.insert("x", HeaderValue::from_bytes(b"\xe9").expect("opaque bytes are allowed"));
        assert!(subprotocols(Mode::V1Json, &sent).is_err());
        assert!(subprotocols(Mode::Seed, &HeaderMap::new()).is_err());
    }
}
