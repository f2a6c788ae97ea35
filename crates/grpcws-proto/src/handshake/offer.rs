//! What a client offers in `Sec-WebSocket-Protocol`.

use http::HeaderMap;

use crate::encoding::base64_decode;
use crate::metadata::{append_value, parse_object};
use crate::{Mode, Status};

pub(super) const BEARER: &str = "grpcws.bearer.";
pub(super) const METADATA: &str = "grpcws.metadata.";

/// The sub-protocols that a client offers, sorted into names and carriers of metadata.
///
/// Tokens and metadata are not printed by `Debug`, so that they do not reach a log.
#[derive(Clone, Default)]
pub struct Offer {
    names: Vec<String>,
    bearer: Vec<String>,
    metadata: Vec<String>,
}

/// Nothing of what the client offers can be selected; the handshake is refused with 400 and this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no supported sub-protocol in {offered}: offer {supported}")]
pub struct Refusal {
    offered: String,
    supported: String,
}

impl Offer {
    /// Reads the values of all `Sec-WebSocket-Protocol` lines, which count as one list.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut offer = Self::default();
        for line in lines {
            let line = String::from_utf8_lossy(line);
            for name in
                line.split(',').map(|name| name.trim_matches([' ', '\t'])).filter(|name| !name.is_empty())
            {
                if let Some(token) = name.strip_prefix(BEARER) {
                    offer.bearer.push(token.to_owned());
                } else if let Some(object) = name.strip_prefix(METADATA) {
                    offer.metadata.push(object.to_owned());
                } else {
                    offer.names.push(name.to_owned());
                }
            }
        }
        offer
    }

    /// The same from the headers of a handshake.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self::parse(
            headers.get_all(http::header::SEC_WEBSOCKET_PROTOCOL).iter().map(http::HeaderValue::as_bytes),
        )
    }

    /// Selects the first name in the client's order that is among `supported`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] where something is offered, or seed mode is not supported, and nothing fits.
    pub fn select(&self, supported: &[Mode]) -> Result<Mode, Refusal> {
        let nothing_offered = self.names.is_empty() && self.bearer.is_empty() && self.metadata.is_empty();
        let selected = if nothing_offered {
            supported.contains(&Mode::Seed).then_some(Mode::Seed)
        } else {
            self.names.iter().find_map(|name| {
                supported.iter().find(|mode| mode.subprotocol() == Some(name.as_str())).copied()
            })
        };
        selected.ok_or_else(|| self.refusal(supported))
    }

    /// The token of the bearer sub-protocol.
    ///
    /// # Errors
    ///
    /// A status with code 3 where it is not base64url of visible ASCII, or where there are two.
    pub fn bearer_token(&self) -> Result<Option<String>, Status> {
        let [encoded] = self.bearer.as_slice() else {
            return if self.bearer.is_empty() {
                Ok(None)
            } else {
                Err(Status::invalid_argument("more than one grpcws.bearer sub-protocol"))
            };
        };
        let token = base64_decode(encoded.as_bytes())
            .filter(|bytes| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic))
            .and_then(|bytes| String::from_utf8(bytes).ok());
        token.map(Some).ok_or_else(|| {
            Status::invalid_argument("the grpcws.bearer sub-protocol is not base64url of a token")
        })
    }

    /// The metadata of the metadata sub-protocols, all together.
    ///
    /// # Errors
    ///
    /// A status with code 3 that says what is wrong.
    pub fn metadata(&self) -> Result<HeaderMap, Status> {
        let mut metadata = HeaderMap::new();
        for encoded in &self.metadata {
            let object = base64_decode(encoded.as_bytes()).ok_or_else(|| {
                Status::invalid_argument("the grpcws.metadata sub-protocol is not base64url")
            })?;
            let invalid =
                |error| Status::invalid_argument(format!("the grpcws.metadata sub-protocol: {error}"));
            for (name, value) in &parse_object(&object).map_err(invalid)? {
                append_value(&mut metadata, name.clone(), value.clone()).map_err(invalid)?;
            }
        }
        Ok(metadata)
    }

    fn refusal(&self, supported: &[Mode]) -> Refusal {
        let names: Vec<String> = self.names.iter().take(8).map(|name| printable(name)).collect();
        let offered = if names.is_empty() { "the offer".to_owned() } else { names.join(", ") };
        let names: Vec<&str> = supported.iter().filter_map(|mode| mode.subprotocol()).collect();
        let mut supported_names = names.join(" or ");
        if supported.contains(&Mode::Seed) {
            supported_names += if names.is_empty() { "none" } else { ", or none" };
        }
        Refusal { offered, supported: supported_names }
    }
}

/// A name as it may be printed: cut, and cleaned. What begins as the protocol's own names do is not printed unless it
/// is one of them, in whatever case: a name that is misspelt may carry a credential all the same.
fn printable(name: &str) -> String {
    const OWN: &str = "grpcws.";
    let modes = [Mode::V1Json, Mode::V1Proto].map(Mode::subprotocol);
    let is_mode = modes.into_iter().flatten().any(|mode| name.eq_ignore_ascii_case(mode));
    let is_own = name.get(..OWN.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(OWN));
    if is_own && !is_mode {
        return format!("{OWN}\u{2026}");
    }
    name.chars().filter(char::is_ascii_graphic).take(40).collect()
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer")
            .field("names", &self.names.iter().map(|name| printable(name)).collect::<Vec<_>>())
            .field("bearer", &self.bearer.len())
            .field("metadata", &self.metadata.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Mode] = &[Mode::Seed, Mode::V1Json, Mode::V1Proto];

    #[test]
    fn the_clients_order_decides() {
        let select = |line: &str| Offer::parse([line.as_bytes()]).select(ALL);
        assert_eq!(select("chat, grpcws.v1.proto , grpcws.v1.json"), Ok(Mode::V1Proto));
        assert_eq!(select("grpcws.bearer.dA,grpcws.v1.json"), Ok(Mode::V1Json));
        assert_eq!(Offer::parse([]).select(ALL), Ok(Mode::Seed));
        assert_eq!(Offer::parse([&b"a"[..], b"grpcws.v1.json"]).select(ALL), Ok(Mode::V1Json));
    }

    #[test]
    fn an_offer_without_a_supported_name_is_refused() {
        for line in ["chat", "grpcws.bearer.dA", "grpcws.metadata.e30", "GRPCWS.V1.JSON"] {
            let refusal = Offer::parse([line.as_bytes()]).select(ALL).expect_err(line).to_string();
            assert!(refusal.contains("grpcws.v1.json"), "{refusal}");
            assert!(!refusal.contains("dA"), "{refusal}");
        }
        assert!(Offer::parse([]).select(&[Mode::V1Json]).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let offer =
            Offer::parse([&b"grpcws.v1.json, grpcws.bearer.c2VjcmV0, grpcws.metadata.eyJhIjoiYiJ9"[..]]);
        assert_eq!(offer.bearer_token().expect("valid"), Some("secret".to_owned()));
        let printed = format!("{offer:?}");
        assert!(!printed.contains("c2Vj") && !printed.contains("eyJ"), "{printed}");
    }

    #[test]
    fn secrets_are_not_printed_under_a_misspelt_name() {
        for name in
            ["grpcws.Bearer.c2VjcmV0", "GRPCWS.METADATA.c2VjcmV0", "grpcws.token.c2VjcmV0", "Grpcws.c2VjcmV0"]
        {
            let offer = Offer::parse([name.as_bytes(), b"chat"]);
            let refusal = offer.select(ALL).expect_err(name).to_string();
            assert!(refusal.starts_with("no supported sub-protocol in grpcws.\u{2026}, chat:"), "{refusal}");
            let printed = format!("{offer:?}");
            assert!(!printed.contains("c2Vj") && printed.contains("chat"), "{printed}");
        }
        // A mode in another case is no secret, and shows what is wrong.
        let refusal = Offer::parse([&b"GRPCWS.V1.JSON"[..]]).select(ALL).expect_err("case counts");
        assert!(refusal.to_string().contains("in GRPCWS.V1.JSON:"), "{refusal}");
    }
}
