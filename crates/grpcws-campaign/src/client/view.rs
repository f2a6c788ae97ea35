//! What one client sees of its stream, checked as it comes against what the call asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use grpcws_test::pb::{BidiResponse, ClientStreamResponse, ServerStreamResponse, UnaryResponse};
use prost::Message as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::frame::{self, Heard};
use super::transport::Lost;
use crate::ask::{Ask, HEADER, Method, Mode, TRAILER, pattern};

/// The message that ended a stream; code 0 is `stream_end`.
#[derive(Debug)]
pub(crate) struct Terminal {
    pub(crate) code: i32,
    pub(crate) text: String,
    pub(crate) trailers: BTreeMap<String, Vec<String>>,
}

/// What a client has to send because of what it heard.
#[derive(Debug)]
pub(crate) enum Reply {
    /// The answer to a WebSocket ping.
    Pong(Bytes),
    /// The answer to `ping`.
    JsonPong(u64),
    /// The answer to a close frame, with its payload.
    Close(Bytes),
}

impl Reply {
    /// Returns the frame that a client sends.
    pub(crate) fn frame(&self) -> Bytes {
        match self {
            Self::Pong(payload) => frame::frame(frame::PONG, payload),
            Self::JsonPong(id) => {
                frame::frame(frame::TEXT, format!(r#"{{"type":"pong","pingId":{id}}}"#).as_bytes())
            }
            Self::Close(payload) => frame::frame(frame::CLOSE, payload),
        }
    }
}

/// What the upstream says of a client stream that it has read.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) messages: i64,
    pub(crate) bytes: i64,
    pub(crate) checksum: u32,
    pub(crate) in_order: bool,
}

/// What one client has seen.
#[derive(Debug)]
pub(crate) struct View {
    /// The HTTP status of the handshake.
    pub(crate) status: Option<u16>,
    pub(crate) messages: u32,
    pub(crate) summary: Option<Summary>,
    pub(crate) headers: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) terminal: Option<Terminal>,
    /// The code and the reason of the close frame.
    pub(crate) close: Option<(u16, String)>,
    pub(crate) lost: Option<Lost>,
    /// What PROTOCOL forbids and was seen all the same.
    pub(crate) faults: Vec<String>,
    /// Payload bytes of response messages since they were last taken, as PROTOCOL §7 counts them.
    pub(crate) uncredited: u64,
    /// Bytes of requests that the gateway has granted since they were last taken, those of `open` included.
    pub(crate) granted: u64,
    open: bool,
    ask: Ask,
    payload: Vec<u8>,
    payload_text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    code: i32,
    #[serde(default)]
    error: String,
    #[serde(default)]
    headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    trailers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    ping_id: u64,
    #[serde(default)]
    receive_window: u64,
    #[serde(default)]
    bytes: u64,
}

/// The fields of every response of the test service, in protojson.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields<'a> {
    #[serde(borrow)]
    sequence: Cow<'a, str>,
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(borrow)]
    request_sequence: Option<Cow<'a, str>>,
    #[serde(borrow)]
    gaps: Cow<'a, str>,
    #[serde(borrow)]
    messages: Cow<'a, str>,
    #[serde(borrow)]
    bytes: Cow<'a, str>,
    checksum: u32,
    in_order: bool,
}

/// A response message of any method.
#[derive(Default)]
struct Response {
    sequence: i64,
    request_sequence: Option<i64>,
    gaps: i64,
    intact: bool,
    summary: Summary,
}

impl View {
    pub(crate) fn new(ask: &Ask) -> Self {
        let payload = pattern(ask.response_payload());
        let payload_text = match ask.mode {
            Mode::Proto => String::new(),
            Mode::Seed | Mode::Json => STANDARD.encode(&payload),
        };
        Self {
            status: None,
            messages: 0,
            summary: None,
            headers: None,
            terminal: None,
            close: None,
            lost: None,
            faults: Vec::new(),
            uncredited: 0,
            granted: 0,
            open: false,
            ask: ask.clone(),
            payload,
            payload_text,
        }
    }

    fn fault(&mut self, text: impl Into<String>) {
        // The first ones say what happened.
        if self.faults.len() < 8 {
            self.faults.push(text.into());
        }
    }

    /// Notes what the decoder read, and returns what a client answers to it.
    pub(crate) fn note(&mut self, heard: Heard) -> Option<Reply> {
        let (opcode, payload) = match heard {
            Heard::Head(status) => {
                self.status = Some(status);
                return None;
            }
            Heard::Frame(opcode, payload) => (opcode, payload),
        };
        if self.close.is_some() {
            self.fault(format!("a frame of kind {opcode} behind the close frame"));
        }
        match opcode {
            frame::TEXT => return self.text(&payload),
            frame::BINARY => self.binary(&payload),
            frame::PING => {
                if self.terminal.is_some() {
                    self.fault("a ping behind the terminal message");
                }
                return Some(Reply::Pong(payload));
            }
            frame::CLOSE => {
                let mut rest = &*payload;
                let code = if rest.len() >= 2 { rest.get_u16() } else { 1005 };
                self.close = Some((code, String::from_utf8_lossy(rest).into_owned()));
                return Some(Reply::Close(payload));
            }
            _ => {}
        }
        None
    }

    fn text(&mut self, payload: &[u8]) -> Option<Reply> {
        let envelope: Envelope<'_> = match serde_json::from_slice(payload) {
            Ok(envelope) => envelope,
            Err(error) => {
                let shown = String::from_utf8_lossy(payload.get(..60).unwrap_or(payload)).into_owned();
                self.fault(format!("a text that is no message: {error}: {shown}"));
                return None;
            }
        };
        let v1 = self.ask.mode != Mode::Seed;
        if self.terminal.is_some() {
            self.fault(format!("{} behind the terminal message", envelope.kind));
        }
        if v1 && !self.open && envelope.kind != "open" {
            self.fault(format!("{} before open", envelope.kind));
        }
        match &*envelope.kind {
            "open" if v1 && !self.open => {
                self.open = true;
                self.granted += envelope.receive_window;
            }
            "headers" if v1 && self.headers.is_none() && self.messages == 0 => {
                self.headers = Some(envelope.headers);
            }
            "data" if self.ask.mode != Mode::Proto => {
                let fields = envelope.data.map(|data| serde_json::from_str::<Fields<'_>>(data.get()));
                match fields {
                    Some(Ok(fields)) => {
                        let response = self.decode_json(&fields);
                        self.message(response, payload.len());
                    }
                    Some(Err(error)) => self.fault(format!("data that is no response: {error}")),
                    None => self.fault("data without data"),
                }
            }
            "stream_end" => self.end(0, String::new(), envelope.trailers),
            "error" if (1..=16).contains(&envelope.code) => {
                self.end(envelope.code, envelope.error, envelope.trailers);
            }
            "ping" => return Some(Reply::JsonPong(envelope.ping_id)),
            "pong" => {}
            "credit" if v1 && self.ask.method.takes_many() => self.granted += envelope.bytes,
            kind => self.fault(format!("{kind} out of place, behind {} messages", self.messages)),
        }
        None
    }

    fn end(&mut self, code: i32, text: String, trailers: BTreeMap<String, Vec<String>>) {
        self.terminal.get_or_insert(Terminal { code, text, trailers });
    }

    fn binary(&mut self, payload: &Bytes) {
        if self.ask.mode != Mode::Proto || !self.open || self.terminal.is_some() {
            return self.fault("a binary frame out of place");
        }
        match self.decode_proto(payload.clone()) {
            Ok(response) => self.message(response, payload.len()),
            Err(error) => self.fault(format!("a binary frame that is no response: {error}")),
        }
    }

    fn decode_json(&self, fields: &Fields<'_>) -> Response {
        let number = |text: &str| if text.is_empty() { 0 } else { text.parse().unwrap_or(i64::MIN) };
        Response {
            sequence: number(&fields.sequence),
            request_sequence: fields.request_sequence.as_ref().map(|text| number(text)),
            gaps: number(&fields.gaps),
            intact: fields.payload == self.payload_text,
            summary: Summary {
                messages: number(&fields.messages),
                bytes: number(&fields.bytes),
                checksum: fields.checksum,
                in_order: fields.in_order,
            },
        }
    }

    fn decode_proto(&self, encoded: Bytes) -> Result<Response, prost::DecodeError> {
        let intact = |payload: &[u8]| payload == self.payload;
        Ok(match self.ask.method {
            Method::Unary => {
                let UnaryResponse { sequence, payload, .. } = UnaryResponse::decode(encoded)?;
                Response { sequence, intact: intact(&payload), ..Default::default() }
            }
            Method::ServerStream => {
                let ServerStreamResponse { sequence, payload, .. } = ServerStreamResponse::decode(encoded)?;
                Response { sequence, intact: intact(&payload), ..Default::default() }
            }
            Method::Bidi => {
                let BidiResponse { sequence, payload, request_sequence, gaps, .. } =
                    BidiResponse::decode(encoded)?;
                let intact = intact(&payload);
                Response { sequence, request_sequence, gaps, intact, ..Default::default() }
            }
            Method::ClientStream => {
                let ClientStreamResponse { messages, bytes, checksum, in_order, gaps, payload, .. } =
                    ClientStreamResponse::decode(encoded)?;
                let summary = Summary { messages, bytes, checksum, in_order };
                Response { gaps, intact: intact(&payload), summary, ..Default::default() }
            }
        })
    }

    /// Checks a response message: P1 of PROTOCOL §12.
    fn message(&mut self, response: Response, bytes: usize) {
        let index = i64::from(self.messages);
        self.messages += 1;
        self.uncredited += u64::try_from(bytes.max(1)).unwrap_or(u64::MAX);
        let due = match self.ask.method {
            Method::Unary => self.ask.first,
            Method::ServerStream => self.ask.first + index,
            Method::Bidi => index,
            Method::ClientStream => 0,
        };
        if response.sequence != due {
            self.fault(format!("message {index} has the number {}, {due} is due", response.sequence));
        }
        if self.ask.method == Method::Bidi && response.request_sequence != Some(index + 1) {
            self.fault(format!("message {index} answers request {:?}", response.request_sequence));
        }
        if response.gaps != 0 {
            self.fault(format!("the upstream saw {} gaps", response.gaps));
        }
        if !response.intact {
            self.fault(format!("message {index} has another payload than was sent"));
        }
        if self.messages > self.ask.responses() {
            self.fault(format!("{} messages, {} are due", self.messages, self.ask.responses()));
        }
        if self.ask.method == Method::ClientStream {
            self.summary = Some(response.summary);
        }
    }

    /// The status that the application gets (PROTOCOL §6.3).
    pub(crate) fn code(&self) -> i32 {
        match (&self.terminal, &self.close) {
            (Some(terminal), _) => terminal.code,
            (None, Some((1002 | 1007 | 1011 | 1000, _))) => 13,
            (None, Some((1003, _))) => 3,
            (None, Some((1008 | 1009, _))) => 8,
            (None, Some((code @ 4001..=4016, _))) => i32::from(*code) - 4000,
            (None, _) => 14,
        }
    }

    /// Whether a header and a trailer that were asked for are there.
    pub(crate) fn has_metadata(&self) -> bool {
        let has = |metadata: &BTreeMap<String, Vec<String>>, (name, value): (&str, &str)| {
            metadata.get(name).is_some_and(|values| *values == [value])
        };
        let headers =
            self.ask.mode == Mode::Seed || self.headers.as_ref().is_some_and(|map| has(map, HEADER));
        headers && self.terminal.as_ref().is_some_and(|terminal| has(&terminal.trailers, TRAILER))
    }

    /// One line for a report.
    pub(crate) fn shown(&self) -> String {
        let terminal = self.terminal.as_ref().map(|terminal| match terminal.code {
            0 => "stream_end".to_owned(),
            _ => terminal.text.clone(),
        });
        format!(
            "{} of {} messages, terminal {terminal:?}, close {:?}, then {:?}, HTTP {:?}",
            self.messages,
            self.ask.responses(),
            self.close,
            self.lost,
            self.status
        )
    }
}
