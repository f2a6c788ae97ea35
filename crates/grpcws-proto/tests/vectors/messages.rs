//! `client_messages.json` and `gateway_messages.json`.

use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::message::{self, ClientMessage, Open, data};
use grpcws_proto::session::{Event, Frame, Payload, Session, SessionOptions, Start, Transmit};
use grpcws_proto::{Code, DebugDetail, MethodKind, Mode, Status};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{each_row, hex, metadata, modes, number, text};

#[test]
fn a_frame_of_a_client_means_what_its_row_says() {
    each_row("client_messages.json", "rows", |row| modes(row).into_iter().for_each(|mode| read(row, mode)));
}

fn read(row: &Value, mode: Mode) {
    let now = Instant::now();
    let mut session = Session::new(SessionOptions::default(), Start::new(mode, MethodKind::Bidi), now);
    while session.poll_transmit().is_some() {}
    let binary = row["binary"].as_str().map(hex);
    let frame = match &binary {
        Some(bytes) => Frame::Binary(bytes),
        None => Frame::Text(text(row, "text")),
    };
    let length = binary.as_ref().map_or_else(|| text(row, "text").len(), Vec::len);
    let event = session.receive(frame, now);
    let name = format!("{} in {mode:?}: {event:?}", text(row, "name"));
    if row.get("error").is_some() {
        let left_to_the_payload = row["inside"] == "data" && matches!(event, Event::Message { .. });
        if !left_to_the_payload {
            let outcome = session.outcome().expect(&name);
            let close = outcome.close.as_ref().expect(&name).code.number();
            assert_eq!(u64::from(outcome.status.code().number()), number(&row["error"], "code"), "{name}");
            assert_eq!(u64::from(close), number(&row["error"], "close"), "{name}");
        }
        return;
    }
    let meaning = &row["meaning"];
    match text(meaning, "type") {
        "data" => {
            let Event::Message { payload: Payload::Json { value, frame, offset }, last: false, cost } = event
            else {
                panic!("{name}")
            };
            assert_eq!(value, text(meaning, "data"), "{name}");
            assert_eq!(cost, length as u64, "{name}");
            match offset {
                Some(offset) => assert!(frame[offset..].starts_with(value), "{name}: the place of the value"),
                None => assert_eq!(value, "null", "{name}: only an absent value has no place"),
            }
        }
        "message" => {
            let bytes = hex(text(meaning, "binary"));
            let cost = bytes.len().max(1) as u64;
            assert_eq!(
                event,
                Event::Message { payload: Payload::Proto(&bytes), last: false, cost },
                "{name}"
            );
        }
        "end_send" => assert_eq!(event, Event::HalfClose, "{name}"),
        "cancel" => assert_eq!(session.outcome().expect(&name).status.code(), Code::Cancelled, "{name}"),
        "pong" => assert_eq!(event, Event::Pong, "{name}"),
        "ping" => {
            assert_eq!(event, Event::Ping, "{name}");
            let pong = message::pong(number(meaning, "pingId"));
            assert_eq!(session.poll_transmit(), Some(Transmit::Text(pong)), "{name}");
        }
        "credit" => {
            let bytes = number(meaning, "bytes");
            assert_eq!(
                ClientMessage::parse(text(row, "text")),
                Ok(ClientMessage::Credit { bytes }),
                "{name}"
            );
        }
        "ignored" => assert_eq!(event, Event::None, "{name}"),
        other => panic!("no meaning is called {other:?}"),
    }
    assert_eq!(session.is_live(), text(meaning, "type") != "cancel", "{name}");
}

#[test]
fn a_message_of_the_gateway_has_the_text_of_its_row() {
    each_row("gateway_messages.json", "rows", |row| {
        assert_eq!(written(&row["meaning"]), text(row, "text"), "{}", text(row, "name"));
    });
}

fn written(meaning: &Value) -> String {
    match text(meaning, "type") {
        "open" => {
            let mut open = Open::new(
                number(meaning, "maxMessageBytes"),
                number(meaning, "receiveWindow"),
                number(meaning, "pingPeriodMs"),
            );
            let features = meaning["features"].as_array().unwrap().iter();
            open.features = features.map(|feature| feature.as_str().unwrap().to_owned()).collect();
            open.to_text()
        }
        "headers" => message::headers(&metadata(&meaning["headers"])),
        "data" => {
            let text = [data::PREFIX, text(meaning, "data").as_bytes(), data::SUFFIX].concat();
            String::from_utf8(text).unwrap()
        }
        "stream_end" => message::stream_end(&metadata(&meaning["trailers"])),
        "error" => message::error(&status(meaning), &Known(meaning["debug"].clone())),
        "credit" => message::credit(number(meaning, "bytes")),
        "ping" => message::ping(number(meaning, "pingId")),
        "pong" => message::pong(number(meaning, "pingId")),
        other => panic!("no message is called {other:?}"),
    }
}

/// A status as an upstream gives it: number, message and trailers, the details among them.
pub(crate) fn status(meaning: &Value) -> Status {
    let code = Code::from_number(meaning["code"].as_i64().expect("code"));
    let (details, trailers): (Vec<Value>, Vec<Value>) = meaning["trailers"]
        .as_array()
        .unwrap()
        .iter()
        .cloned()
        .partition(|pair| pair[0] == "grpc-status-details-bin");
    let details = details.first().map_or_else(Bytes::new, |pair| hex(pair[1].as_str().unwrap()).into());
    let trailers = metadata(&trailers.into());
    Status::new(code, text(meaning, "message")).with_details(details).with_metadata(trailers)
}

/// The types of details that a gateway knows: an object from type to the protojson of the one value.
pub(crate) struct Known(pub(crate) Value);

impl DebugDetail for Known {
    fn debug(&self, type_name: &str, _: &[u8]) -> Option<Box<RawValue>> {
        let json = self.0.get(type_name)?.as_str()?;
        Some(RawValue::from_string(json.to_owned()).expect("the vector holds JSON"))
    }
}
