//! What the messages of each target look like.

use prost::Message as _;

use super::frame::{self, Opcode};
use crate::event;
use crate::pb::SubscribeRequest;

/// A mask as any other: its value changes nothing for who takes it off.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A format of messages, with the routes that go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The JSON envelope without a sub-protocol, as the Go package has it. There the request of a server stream
    /// stands in the query.
    Envelope {
        /// Whether it does.
        query: bool,
    },
    /// `grpcws.v1.json`.
    Json,
    /// `grpcws.v1.proto`.
    Proto,
    /// tmc/grpc-websocket-proxy: lines of grpc-gateway, one a frame.
    Lines,
    /// improbable-eng's `grpc-websockets`.
    GrpcWeb,
    /// No protocol: whatever comes is a message.
    Bare,
}

/// A method of the benchmark's service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Subscribe,
    Collect,
    Echo,
}

/// What a frame of the target is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received<'a> {
    /// A message of the call, or its JSON with something around it.
    Message(&'a [u8]),
    /// The orderly end.
    End,
    /// Any other end.
    Failure,
    /// Nothing that matters here: headers, credit, heartbeat.
    Other,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "Subscribe",
            Self::Collect => "Collect",
            Self::Echo => "Echo",
        }
    }
}

impl Format {
    pub(crate) const fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Json => Some("grpcws.v1.json"),
            Self::Proto => Some("grpcws.v1.proto"),
            Self::GrpcWeb => Some("grpc-websockets"),
            Self::Envelope { .. } | Self::Lines | Self::Bare => None,
        }
    }

    pub(crate) fn path(self, prefix: &str, method: Method, request: &SubscribeRequest) -> String {
        let path = format!("{prefix}/grpcws.bench.v1.BenchService/{}", method.name());
        match self {
            Self::Lines => format!("{path}?method=POST"),
            Self::Envelope { query: true } => {
                let SubscribeRequest { count, size, rate } = request;
                format!("{path}?count={count}&size={size}&rate={rate}")
            }
            _ => path,
        }
    }

    /// The frames that open a call: the request of a server stream, and what comes before any message.
    pub(crate) fn opening(self, method: Method, request: &SubscribeRequest) -> Vec<u8> {
        let mut output = Vec::new();
        if self == Self::GrpcWeb {
            let block = b"content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n";
            frame::append(Opcode::BINARY, block, Some(MASK), &mut output);
        }
        if method == Method::Subscribe && self != (Self::Envelope { query: true }) {
            let (json, proto) = (event::request_json(request), request.encode_to_vec());
            self.append(&json, &proto, &mut output);
            // A bridge without descriptors does not know that no second request can come.
            output.extend(self.half_close());
        }
        output
    }

    /// The frame of a small event.
    pub(crate) fn event(self, sequence: i64) -> Vec<u8> {
        let mut output = Vec::new();
        self.append(&event::json(sequence), &event::proto(sequence), &mut output);
        output
    }

    fn append(self, json: &str, proto: &[u8], output: &mut Vec<u8>) {
        let text = |text: &str, output: &mut Vec<u8>| {
            frame::append(Opcode::TEXT, text.as_bytes(), Some(MASK), output);
        };
        match self {
            Self::Envelope { .. } | Self::Json => {
                text(&format!(r#"{{"type":"data","data":{json}}}"#), output)
            }
            Self::Lines | Self::Bare => text(json, output),
            Self::Proto => frame::append(Opcode::BINARY, proto, Some(MASK), output),
            Self::GrpcWeb => {
                let length = u32::try_from(proto.len()).unwrap_or(u32::MAX).to_be_bytes();
                let payload = [&[0, 0], &length[..], proto].concat();
                frame::append(Opcode::BINARY, &payload, Some(MASK), output);
            }
        }
    }

    /// The frame that ends the client's half of a stream, where there is one.
    pub(crate) fn half_close(self) -> Vec<u8> {
        let mut output = Vec::new();
        match self {
            Self::Envelope { .. } | Self::Json | Self::Proto => {
                frame::append(Opcode::TEXT, br#"{"type":"end_send"}"#, Some(MASK), &mut output);
            }
            Self::GrpcWeb => frame::append(Opcode::BINARY, &[1], Some(MASK), &mut output),
            Self::Lines | Self::Bare => {}
        }
        output
    }
}

/// Reads the messages of a target.
#[derive(Debug)]
pub(crate) struct Reader {
    format: Format,
    /// gRPC-Web is a stream of its own inside the frames, however they are cut.
    stream: Vec<u8>,
}

impl Reader {
    pub(crate) const fn new(format: Format) -> Self {
        Self { format, stream: Vec::new() }
    }

    /// Hands what a frame holds to `sink`.
    pub(crate) fn read(&mut self, opcode: Opcode, payload: &[u8], mut sink: impl FnMut(Received<'_>)) {
        match (self.format, opcode) {
            (_, Opcode::CLOSE) => sink(Received::End),
            (Format::Bare, Opcode::TEXT | Opcode::BINARY) => sink(Received::Message(payload)),
            (Format::Proto, Opcode::BINARY) => sink(Received::Message(payload)),
            (Format::GrpcWeb, Opcode::BINARY) => self.read_grpc_web(payload, sink),
            (Format::Lines, Opcode::TEXT) if payload.starts_with(br#"{"result":"#) => {
                sink(Received::Message(payload));
            }
            (Format::Lines, Opcode::TEXT) => sink(Received::Failure),
            (_, Opcode::TEXT) => sink(envelope(payload)),
            _ => sink(Received::Other),
        }
    }

    fn read_grpc_web(&mut self, payload: &[u8], mut sink: impl FnMut(Received<'_>)) {
        self.stream.extend_from_slice(payload);
        let mut rest = self.stream.as_slice();
        while let Some(([flags, length @ ..], behind)) = rest.split_first_chunk::<5>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let Some((message, behind)) = behind.split_at_checked(length) else { break };
            rest = behind;
            match flags {
                0 => sink(Received::Message(message)),
                _ if message.windows(14).any(|window| window == b"grpc-status: 0") => sink(Received::End),
                _ if message.windows(12).any(|window| window == b"grpc-status:") => sink(Received::Failure),
                _ => sink(Received::Other),
            }
        }
        let read = self.stream.len() - rest.len();
        self.stream.drain(..read);
    }
}

fn envelope(payload: &[u8]) -> Received<'_> {
    if payload.starts_with(br#"{"type":"data""#) {
        Received::Message(payload)
    } else if payload.starts_with(br#"{"type":"stream_end""#) {
        Received::End
    } else if payload.starts_with(br#"{"type":"error""#) {
        Received::Failure
    } else {
        Received::Other
    }
}

/// The value of an integer member of a message's JSON, without parsing the rest; grpc-gateway and protojson of Go
/// put spaces where they like.
pub(crate) fn integer(json: &[u8], member: &str) -> Option<i64> {
    let name = format!("\"{member}\":");
    let at = json.windows(name.len()).position(|window| window == name.as_bytes())?;
    let digits = json.get(at + name.len()..)?.iter().skip_while(|byte| matches!(byte, b' ' | b'"'));
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number: i64, digit| number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_found_in_any_spacing() {
        assert_eq!(integer(br#"{"type":"data","data":{"sequence":"42"}}"#, "sequence"), Some(42));
        assert_eq!(integer(br#"{"result":{"a":1, "sequence": "7"}}"#, "sequence"), Some(7));
        assert_eq!(integer(b"{}", "sequence"), None);
    }

    #[test]
    fn grpc_web_is_read_however_it_is_cut() {
        let stream = b"\x80\0\0\0\x06a: b\r\n\0\0\0\0\x02hi\0\0\0\0\0\x80\0\0\0\x10grpc-status: 0\r\n";
        for size in 1..stream.len() {
            let mut reader = Reader::new(Format::GrpcWeb);
            let mut messages = Vec::new();
            let mut ends = 0;
            for chunk in stream.chunks(size) {
                reader.read(Opcode::BINARY, chunk, |received| match received {
                    Received::Message(message) => messages.push(message.to_vec()),
                    Received::End => ends += 1,
                    _ => {}
                });
            }
            assert_eq!((messages, ends), (vec![b"hi".to_vec(), Vec::new()], 1), "{size}");
        }
    }
}
