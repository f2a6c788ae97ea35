//! The messages of the gateway, as a client reads them.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Open;
use super::envelope::{MessageError, integer, parse_object, required};
use crate::encoding::base64_decode;
use crate::metadata::parse_received;
use crate::{Code, Status};

/// The trailer with the bytes of a `google.rpc.Status`.
const DETAILS: &str = "grpc-status-details-bin";

/// A message from a gateway, as its frame says it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum GatewayMessage<'a> {
    /// What the gateway says of itself, first of all.
    Open(Open),
    /// The upstream's response headers.
    Headers(HeaderMap),
    /// A response message.
    Data {
        /// The protojson of the message: `null` where the member is absent.
        value: &'a str,
    },
    /// The terminal message, `stream_end` or `error`: how the call ended. Only `stream_end` is a success.
    End(Status),
    /// The client may send so many more bytes.
    Credit {
        /// The number of payload bytes, at least 1.
        bytes: u64,
    },
    /// The gateway's heartbeat.
    Ping {
        /// The number to answer with.
        ping_id: u64,
    },
    /// The answer to a ping of the client.
    Pong,
    /// A message of a type that the protocol does not know. It is passed over.
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
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    headers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    trailers: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    details: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "pingId")]
    ping_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bytes: Option<&'a RawValue>,
    #[serde(borrow, default)]
    features: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "maxMessageBytes")]
    max_message_bytes: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "receiveWindow")]
    receive_window: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "pingPeriodMs")]
    ping_period_ms: Option<&'a RawValue>,
}

impl<'a> GatewayMessage<'a> {
    /// Reads the text of a frame.
    ///
    /// # Errors
    ///
    /// [`MessageError`] for what is not JSON, not a message, or lacks what its type needs.
    pub fn parse(text: &'a str) -> Result<Self, MessageError> {
        let envelope = parse_object::<Envelope<'a>>(text)?;
        Ok(match envelope.kind.as_ref() {
            "data" => Self::Data { value: envelope.data.map_or("null", RawValue::get) },
            "open" => Self::Open(envelope.open()?),
            "headers" => Self::Headers(metadata(envelope.headers, "headers")?),
            "stream_end" => Self::End(Status::ok().with_metadata(metadata(envelope.trailers, "trailers")?)),
            "error" => Self::End(envelope.status()?),
            "credit" => {
                Self::Credit { bytes: required(integer(envelope.bytes, "bytes", 1)?, "credit", "bytes")? }
            }
            "ping" => Self::Ping { ping_id: integer(envelope.ping_id, "pingId", 0)?.unwrap_or(0) },
            "pong" => Self::Pong,
            _ => Self::Unknown { kind: envelope.kind },
        })
    }
}

impl Envelope<'_> {
    fn open(&self) -> Result<Open, MessageError> {
        let number = |value, name, least| required(integer(value, name, least)?, "open", name);
        let max_message_bytes = number(self.max_message_bytes, "maxMessageBytes", 0)?;
        let receive_window = number(self.receive_window, "receiveWindow", 1)?;
        let ping_period_ms = number(self.ping_period_ms, "pingPeriodMs", 0)?;
        let mut open = Open::new(max_message_bytes, receive_window, ping_period_ms);
        open.features = match self.features {
            Some(features) => member(features, "features")?,
            None => Vec::new(),
        };
        Ok(open)
    }

    /// The status of `error`. A seed's gateway has the text alone, which begins with grpc-go's words.
    fn status(&self) -> Result<Status, MessageError> {
        let mut trailers = metadata(self.trailers, "trailers")?;
        let details = trailers.remove(DETAILS).and_then(|value| base64_decode(value.as_bytes()));
        let (code, message) = match self.code {
            Some(code) => {
                let message = self.message.map(|text| member(text, "message")).transpose()?;
                (code.get().parse().ok().map(Code::from_number), message.unwrap_or_default())
            }
            None => {
                let text: String =
                    self.error.map(|text| member(text, "error")).transpose()?.unwrap_or_default();
                match parse_go(&text) {
                    Some((code, message)) => (Some(code), message.to_owned()),
                    None => (None, text),
                }
            }
        };
        // An error is never a success, whatever number it has.
        let code = code.filter(|code| *code != Code::Ok).unwrap_or(Code::Unknown);
        Ok(Status::new(code, message)
            .with_details(details.map(Bytes::from).unwrap_or_default())
            .with_shown_details(self.details.map(|details| details.get().into()))
            .with_metadata(trailers))
    }
}

fn parse_go(text: &str) -> Option<(Code, &str)> {
    let (name, message) = text.strip_prefix("rpc error: code = ")?.split_once(" desc = ")?;
    Some((Code::from_go_name(name)?, message))
}

fn member<T: for<'de> Deserialize<'de>>(value: &RawValue, name: &str) -> Result<T, MessageError> {
    serde_json::from_str(value.get()).map_err(|error| MessageError(format!("\"{name}\": {error}")))
}

fn metadata(value: Option<&RawValue>, name: &str) -> Result<HeaderMap, MessageError> {
    match value.map(RawValue::get) {
        None | Some("null") => Ok(HeaderMap::new()),
        Some(object) => {
            parse_received(object.as_bytes()).map_err(|error| MessageError(format!("\"{name}\": {error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::message;

    fn status(text: &str) -> Status {
        match GatewayMessage::parse(text) {
            Ok(GatewayMessage::End(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_gateway_writes_is_read_again() {
        let mut metadata = HeaderMap::new();
        metadata.append("x-a", HeaderValue::from_static("1"));
        metadata.append("x-a", HeaderValue::from_static("2"));
        metadata.append("x-bin", HeaderValue::from_static("CP8"));
        let sent = Status::new(Code::NotFound, "no \"game\"")
            .with_details(Bytes::from_static(b"\x08\x05"))
            .with_metadata(metadata.clone());
        let read = status(&message::error(&sent, &()));
        assert_eq!((read.code(), read.message()), (Code::NotFound, "no \"game\""));
        assert_eq!((read.details(), read.metadata()), (sent.details(), &metadata));

        assert_eq!(read.shown_details(), None);
        let shown =
            status(r#"{"type":"error","code":5,"details":[{"type":"a.B","value":"","debug":{"c":1}}]}"#);
        assert_eq!(shown.shown_details(), Some(r#"[{"type":"a.B","value":"","debug":{"c":1}}]"#));

        let read = status(&message::stream_end(&metadata));
        assert!(read.is_ok() && *read.metadata() == metadata);
        let open = Open::new(1, 2, 3);
        let text = open.to_text();
        assert!(matches!(GatewayMessage::parse(&text), Ok(GatewayMessage::Open(read)) if read == open));
        let text = message::headers(&metadata);
        assert!(
            matches!(GatewayMessage::parse(&text), Ok(GatewayMessage::Headers(read)) if read == metadata)
        );
    }

    #[test]
    fn an_error_of_the_go_package_has_its_code_in_the_text() {
        let read = status(r#"{"type":"error","error":"rpc error: code = NotFound desc = game not found"}"#);
        assert_eq!((read.code(), read.message()), (Code::NotFound, "game not found"));
        let read = status(r#"{"type":"error","error":"something else"}"#);
        assert_eq!((read.code(), read.message()), (Code::Unknown, "something else"));
    }

    #[test]
    fn an_error_is_never_a_success() {
        for text in [
            r#"{"type":"error","code":0}"#,
            r#"{"type":"error","code":"0"}"#,
            r#"{"type":"error","code":99}"#,
            r#"{"type":"error","error":"rpc error: code = OK desc = "}"#,
            r#"{"type":"error"}"#,
        ] {
            assert_eq!(status(text).code(), Code::Unknown, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |text: &str| GatewayMessage::parse(text).expect_err(text).to_string();
        assert_eq!(error(r#"{"type":"credit"}"#), "credit without \"bytes\"");
        assert!(error(r#"{"type":"open","maxMessageBytes":1}"#).contains("receiveWindow"));
        assert!(error(r#"{"type":"headers","headers":{"x":1}}"#).starts_with("\"headers\""));
        assert!(error("[]").contains("a JSON object"));
        assert!(matches!(
            GatewayMessage::parse(r#"{"type":"news","data":5}"#),
            Ok(GatewayMessage::Unknown { kind }) if kind == "news"
        ));
        assert!(matches!(
            GatewayMessage::parse(r#"{"type":"data"}"#),
            Ok(GatewayMessage::Data { value: "null" })
        ));
    }
}
