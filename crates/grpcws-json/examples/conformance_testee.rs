//! A testee for protobuf's `conformance_test_runner`: answers the cases that have JSON on one side or both, and skips the
//! others.
//!
//! Takes the path of a serialized `FileDescriptorSet` of the suite's test messages, with their imports. Speaks the
//! runner's protocol on standard input and output: a length as four little-endian bytes, then the message.

use std::io::{self, Read, Write};

use grpcws_json::{MarshalOptions, Message, Table, UnmarshalOptions};
use prost::Message as _;

/// `conformance.ConformanceRequest`, the parts that matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(oneof = "Payload", tags = "1, 2, 7, 8")]
    payload: Option<Payload>,
    #[prost(int32, tag = "3")]
    requested_output_format: i32,
    #[prost(string, tag = "4")]
    message_type: String,
    #[prost(int32, tag = "5")]
    test_category: i32,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Payload {
    #[prost(bytes, tag = "1")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "2")]
    Json(String),
    #[prost(string, tag = "7")]
    Jspb(String),
    #[prost(string, tag = "8")]
    Text(String),
}

/// `conformance.ConformanceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct Response {
    #[prost(oneof = "Outcome", tags = "1, 2, 3, 4, 5, 6")]
    result: Option<Outcome>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Outcome {
    #[prost(string, tag = "1")]
    ParseError(String),
    #[prost(string, tag = "2")]
    RuntimeError(String),
    #[prost(bytes, tag = "3")]
    Protobuf(Vec<u8>),
    #[prost(string, tag = "4")]
    Json(String),
    #[prost(string, tag = "5")]
    Skipped(String),
    #[prost(string, tag = "6")]
    SerializeError(String),
}

const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
const JSON_IGNORE_UNKNOWN: i32 = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: conformance_testee DESCRIPTOR_SET")?;
    let table = Table::from_file_descriptor_set(&std::fs::read(path)?)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let mut length = [0; 4];
    loop {
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            result => result?,
        }
        let mut request = vec![0; usize::try_from(u32::from_le_bytes(length))?];
        input.read_exact(&mut request)?;
        let result = Some(answer(&table, Request::decode(&*request)?));
        let response = Response { result }.encode_to_vec();
        output.write_all(&u32::try_from(response.len())?.to_le_bytes())?;
        output.write_all(&response)?;
        output.flush()?;
    }
}

fn answer(table: &Table, request: Request) -> Outcome {
    let wanted = request.requested_output_format;
    let payload = match request.payload {
        // The runner first asks for the failures that are known to the testee itself: none.
        Some(Payload::Protobuf(_)) if request.message_type == "conformance.FailureSet" => {
            return Outcome::Protobuf(Vec::new());
        }
        Some(Payload::Protobuf(wire)) if wanted == JSON => Payload::Protobuf(wire),
        Some(Payload::Json(json)) if matches!(wanted, PROTOBUF | JSON) => Payload::Json(json),
        _ => return Outcome::Skipped("only JSON, from and to wire bytes".to_owned()),
    };
    let Some(message) = table.message(&request.message_type) else {
        return Outcome::RuntimeError(format!("{} is not in the descriptor set", request.message_type));
    };
    match payload {
        Payload::Json(json) => {
            let options =
                UnmarshalOptions::default().discard_unknown(request.test_category == JSON_IGNORE_UNKNOWN);
            let mut wire = Vec::new();
            match message.from_json(json.as_bytes(), &options, &mut wire) {
                Err(error) => Outcome::ParseError(error.to_string()),
                Ok(()) if wanted == PROTOBUF => Outcome::Protobuf(wire),
                Ok(()) => printed(&message, &wire),
            }
        }
        Payload::Protobuf(wire) => printed(&message, &wire),
        _ => Outcome::Skipped("not JSON".to_owned()),
    }
}

fn printed(message: &Message, wire: &[u8]) -> Outcome {
    let mut json = Vec::new();
    match message.to_json(wire, &MarshalOptions::default(), &mut json) {
        Ok(()) => match String::from_utf8(json) {
            Ok(json) => Outcome::Json(json),
            Err(error) => Outcome::RuntimeError(error.to_string()),
        },
        // The runner tells bytes that are no message from messages that have no JSON form.
        Err(error) if matches!(error.kind(), grpcws_json::ToJsonErrorKind::Malformed(_)) => {
            Outcome::ParseError(error.to_string())
        }
        Err(error) => Outcome::SerializeError(error.to_string()),
    }
}
