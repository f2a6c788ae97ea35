//! What a call asks of the test service, and so what it has to get.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use grpcws_test::pb::{
    BidiRequest, ClientStreamRequest, Failure, MetadataValues, Script, ServerStreamRequest, UnaryRequest,
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::client::frame::{BINARY, TEXT};

/// The sub-protocol of a stream (PROTOCOL §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Seed,
    Json,
    Proto,
}

/// The methods of the test service that a call can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Unary,
    ServerStream,
    ClientStream,
    Bidi,
}

impl Method {
    /// Whether the client sends many requests and then ends them.
    pub(crate) fn takes_many(self) -> bool {
        matches!(self, Self::ClientStream | Self::Bidi)
    }
}

/// One call of the test service.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) mode: Mode,
    pub(crate) method: Method,
    /// The label of the call in the upstream's books.
    pub(crate) tag: String,
    /// Requests of `ClientStream` and `Bidi`; responses of `ServerStream`.
    pub(crate) count: u32,
    /// The payload of each response; at 0 `Bidi` and `Unary` return that of the request.
    pub(crate) size: u32,
    /// The payload of each request.
    pub(crate) payload: u32,
    /// The sequence number of the first response of `ServerStream`, and the one of `Unary`.
    pub(crate) first: i64,
    /// Responses per second; 0 for as fast as possible.
    pub(crate) rate: f64,
    /// The status to end with.
    pub(crate) fail: i32,
    pub(crate) flush_each: bool,
    /// Whether response headers and trailers are asked for.
    pub(crate) metadata: bool,
    pub(crate) timeout_ms: Option<u32>,
    /// The window of PROTOCOL §7.1.
    pub(crate) credit: Option<u32>,
}

/// Ends the requests of a method that takes many.
pub(crate) const END_SEND: &[u8] = br#"{"type":"end_send"}"#;

/// A frame to send: its kind and its payload.
pub(crate) type Message = (u8, Vec<u8>);

/// Byte `i` of every payload is `i % 251`, in both directions.
pub(crate) fn pattern(size: u32) -> Vec<u8> {
    (0..=250).cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect()
}

/// The values of the header and of the trailer that a call may ask for.
pub(crate) const HEADER: (&str, &str) = ("x-first", "one");
pub(crate) const TRAILER: (&str, &str) = ("x-last-bin", "CP8");

impl Ask {
    /// Makes a call without payload that ends with OK.
    pub(crate) fn new(mode: Mode, method: Method, tag: impl Into<String>) -> Self {
        Self {
            mode,
            method,
            tag: tag.into(),
            count: 1,
            size: 0,
            payload: 0,
            first: 0,
            rate: 0.0,
            fail: 0,
            flush_each: false,
            metadata: false,
            timeout_ms: None,
            credit: None,
        }
    }

    pub(crate) fn path(&self) -> String {
        format!("/ws/grpcws.test.v1.TestService/{:?}", self.method)
    }

    /// How many response messages come if nothing goes wrong.
    pub(crate) fn responses(&self) -> u32 {
        match self.method {
            Method::ServerStream | Method::Bidi => self.count,
            Method::Unary | Method::ClientStream => u32::from(self.fail == 0),
        }
    }

    /// The payload of each response.
    pub(crate) fn response_payload(&self) -> u32 {
        match self.method {
            Method::ServerStream | Method::ClientStream => self.size,
            Method::Bidi | Method::Unary if self.size == 0 => self.payload,
            Method::Bidi | Method::Unary => self.size,
        }
    }

    /// How many requests the client sends.
    pub(crate) fn requests(&self) -> u32 {
        if self.method.takes_many() { self.count } else { 1 }
    }

    /// The messages of the client, in order, `end_send` included.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Message> {
        let payload = pattern(self.payload);
        let text = match self.mode {
            Mode::Proto => String::new(),
            Mode::Seed | Mode::Json => STANDARD.encode(&payload),
        };
        let payload = Bytes::from(payload);
        let requests = (0..self.requests()).map(move |index| match self.method {
            Method::Unary | Method::ServerStream => self.single(),
            Method::ClientStream | Method::Bidi => self.numbered(i64::from(index) + 1, &payload, &text),
        });
        let end = self.method.takes_many().then(|| (TEXT, END_SEND.to_vec()));
        requests.chain(end)
    }

    /// The request of a method that takes one.
    fn single(&self) -> Message {
        let (many, proto) = (self.method == Method::ServerStream, self.mode == Mode::Proto);
        if !proto {
            let mut data = json!({ "tag": self.tag, "size": self.size });
            let fields = match many {
                true => json!({
                    "count": self.count.to_string(), "firstSequence": self.first.to_string(),
                    "rate": self.rate, "flushEach": self.flush_each,
                }),
                false => json!({
                    "sequence": self.first.to_string(), "payload": STANDARD.encode(pattern(self.payload)),
                }),
            };
            merge(&mut data, fields);
            if self.fail != 0 {
                merge(&mut data, json!({ "fail": { "code": self.fail, "after": self.count.to_string() } }));
            }
            if self.metadata {
                let values = |(name, value): (&str, &str)| json!({ name: { "values": [value] } });
                let fields =
                    json!({ "responseHeaders": values(HEADER), "responseTrailers": values(TRAILER) });
                merge(&mut data, fields);
            }
            return (TEXT, json!({ "type": "data", "data": data }).to_string().into_bytes());
        }
        let (response_headers, response_trailers) = self.response_metadata();
        let (tag, size, fail) = (self.tag.clone(), self.size, self.failure());
        let encoded = match many {
            true => ServerStreamRequest {
                count: self.count.into(),
                first_sequence: self.first,
                rate: self.rate,
                flush_each: self.flush_each,
                tag,
                size,
                fail,
                response_headers,
                response_trailers,
                ..Default::default()
            }
            .encode_to_vec(),
            false => UnaryRequest {
                sequence: self.first,
                payload: pattern(self.payload).into(),
                tag,
                size,
                fail,
                response_headers,
                response_trailers,
                ..Default::default()
            }
            .encode_to_vec(),
        };
        (BINARY, encoded)
    }

    /// A request of a method that takes many.
    fn numbered(&self, sequence: i64, payload: &Bytes, text: &str) -> Message {
        if self.mode != Mode::Proto {
            let mut data = format!(r#"{{"type":"data","data":{{"sequence":"{sequence}""#);
            if !text.is_empty() {
                let _ = write!(data, r#","payload":"{text}""#);
            }
            data.push_str("}}");
            return (TEXT, data.into_bytes());
        }
        let payload = payload.clone();
        let encoded = match self.method {
            Method::Bidi => BidiRequest { sequence, payload, ..Default::default() }.encode_to_vec(),
            _ => ClientStreamRequest { sequence, payload, ..Default::default() }.encode_to_vec(),
        };
        (BINARY, encoded)
    }

    fn failure(&self) -> Option<Failure> {
        let after = self.count.into();
        (self.fail != 0).then(|| Failure { code: self.fail, after, ..Default::default() })
    }

    fn response_metadata(&self) -> (BTreeMap<String, MetadataValues>, BTreeMap<String, MetadataValues>) {
        let values = |(name, value): (&str, &str)| {
            let values = MetadataValues { values: vec![value.to_owned()] };
            self.metadata.then(|| (name.to_owned(), values)).into_iter().collect()
        };
        (values(HEADER), values(TRAILER))
    }

    /// The request metadata, with the script of a method that takes many requests.
    fn request_metadata(&self) -> Vec<(&'static str, String)> {
        let mut metadata = Vec::new();
        if self.method.takes_many() {
            let (response_headers, response_trailers) = self.response_metadata();
            let script = Script {
                tag: self.tag.clone(),
                size: self.size,
                rate: self.rate,
                flush_each: self.flush_each,
                fail: self.failure(),
                response_headers,
                response_trailers,
                checksum: true,
                ..Default::default()
            };
            metadata.push(("test-script-bin", STANDARD.encode(script.encode_to_vec())));
        }
        metadata.extend(self.timeout_ms.map(|milliseconds| ("grpc-timeout", format!("{milliseconds}m"))));
        metadata.extend(self.credit.map(|bytes| ("grpcws-credit", bytes.to_string())));
        metadata
    }

    /// The header lines of the handshake: the sub-protocols, and in seed mode the metadata.
    pub(crate) fn header_lines(&self) -> Vec<(String, String)> {
        let metadata = self.request_metadata();
        let name = match self.mode {
            Mode::Seed => {
                let line = |(name, value)| match name {
                    "test-script-bin" => (format!("grpc-metadata-{name}"), value),
                    name => (name.to_owned(), value),
                };
                return metadata.into_iter().map(line).collect();
            }
            Mode::Json => "grpcws.v1.json",
            Mode::Proto => "grpcws.v1.proto",
        };
        let mut offer = name.to_owned();
        if !metadata.is_empty() {
            let object: serde_json::Map<String, Value> =
                metadata.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let object = URL_SAFE_NO_PAD.encode(Value::Object(object).to_string());
            let _ = write!(offer, ", grpcws.metadata.{object}");
        }
        vec![("sec-websocket-protocol".to_owned(), offer)]
    }
}

fn merge(data: &mut Value, more: Value) {
    if let (Value::Object(data), Value::Object(more)) = (data, more) {
        data.extend(more);
    }
}
