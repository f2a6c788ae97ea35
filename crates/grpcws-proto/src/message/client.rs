//! The messages that a client sends.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{MessageError, integer, parse_object, required};

/// The text of `end_send`: the client has sent its last request message.
pub const END_SEND: &str = r#"{"type":"end_send"}"#;

/// The text of `cancel`: the client ends the call.
pub const CANCEL: &str = r#"{"type":"cancel"}"#;

/// A message from a client, as its frame says it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientMessage<'a> {
    /// A request message.
    Data {
        /// The protojson of the message: `null` where the member is absent.
        value: &'a str,
        /// Where in the frame the value begins; `None` where the member is absent.
        offset: Option<usize>,
    },
    /// The client has sent its last request message.
    EndSend,
    /// The client cancels the call.
    Cancel,
    /// The client's own liveness probe.
    Ping {
        /// The number to answer with.
        ping_id: u64,
    },
    /// The answer to a ping of the gateway.
    Pong,
    /// The client takes so many more bytes.
    Credit {
        /// The number of payload bytes, at least 1.
        bytes: u64,
    },
    /// A message of a type that the protocol does not know.
    Unknown {
        /// The type.
        kind: Cow<'a, str>,
    },
}

#[derive(Deserialize)]
#[serde(expecting = "a message: a JSON object with the member \"type\"")]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default = "absent")]
    data: &'a RawValue,
    #[serde(borrow, default, rename = "pingId")]
    ping_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bytes: Option<&'a RawValue>,
}

impl<'a> ClientMessage<'a> {
    /// Reads the text of a frame.
    ///
    /// Unknown members are passed over; a member that occurs twice is an error, since two readers could
    /// disagree on which one counts.
    ///
    /// # Errors
    ///
    /// [`MessageError`] with line and column for what is not JSON or not a message.
    pub fn parse(text: &'a str) -> Result<Self, MessageError> {
        let envelope = parse_object::<Envelope<'a>>(text)?;
        Ok(match envelope.kind.as_ref() {
            "data" => {
                let value = envelope.data.get();
                Self::Data { value, offset: offset_in(text, value) }
            }
            "end_send" => Self::EndSend,
            "cancel" => Self::Cancel,
            "pong" => Self::Pong,
            "ping" => Self::Ping { ping_id: integer(envelope.ping_id, "pingId", 0)?.unwrap_or(0) },
            "credit" => {
                Self::Credit { bytes: required(integer(envelope.bytes, "bytes", 1)?, "credit", "bytes")? }
            }
            _ => Self::Unknown { kind: envelope.kind },
        })
    }
}

fn absent<'a>() -> &'a RawValue {
    RawValue::NULL
}

/// The offset of a slice in `text`, if it was borrowed from there.
fn offset_in(text: &str, slice: &str) -> Option<usize> {
    let offset = (slice.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (offset + slice.len() <= text.len()).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_any_order() {
        let text = r#" {"data" : {"type":"cancel"} , "more":[1], "type":"data"} "#;
        assert_eq!(
            ClientMessage::parse(text),
            Ok(ClientMessage::Data { value: r#"{"type":"cancel"}"#, offset: Some(11) })
        );
        assert_eq!(
            ClientMessage::parse(r#"{"type":"data"}"#),
            Ok(ClientMessage::Data { value: "null", offset: None })
        );
    }

    #[test]
    fn escapes_in_names_and_types_are_read() {
        assert_eq!(ClientMessage::parse(r#"{"\u0074ype":"c\u0061ncel"}"#), Ok(ClientMessage::Cancel));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |text: &str| ClientMessage::parse(text).expect_err(text).to_string();
        assert_eq!(error("{\"type\":}"), "line 1 column 9: expected value");
        assert_eq!(error("{}"), "line 1 column 2: missing field `type`");
        assert!(error("[\"cancel\"]").contains("a JSON object"));
        assert!(error("\n 5").starts_with("line 2 column"), "{}", error("\n 5"));
        assert!(error(r#"{"type":5}"#).contains("invalid type: integer"));
        assert!(error(r#"{"type":"data","type":"data"}"#).contains("duplicate field"));
        assert!(error(r#"{"type":"credit","bytes":0}"#).contains("bytes"));
        assert!(error(r#"{"type":"credit","bytes":1.5}"#).contains("bytes"));
        assert!(error(r#"{"type":"credit","bytes":9007199254740992}"#).contains("bytes"));
        assert!(error(r#"{"type":"credit"}"#).contains("bytes"));
        assert!(error(r#"{"type":"cancel"} x"#).contains("trailing characters"));
        assert!(error("").contains("EOF"));
    }

    #[test]
    fn deep_nesting_in_a_payload_is_only_passed_over() {
        let text = format!(r#"{{"type":"data","data":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(
            matches!(ClientMessage::parse(&text), Ok(ClientMessage::Data { value, .. }) if value.len() == 20_000)
        );
    }
}
