//! The value of one field by itself: what it is in a whole message, and the other way round.

mod common;

use common::message;
use grpcws_json::{FieldDescriptor, MarshalOptions, Message, UnmarshalOptions};
use proptest::prelude::*;
use serde_json::Value;

fn whole(message: &Message, wire: &[u8]) -> Option<Value> {
    let mut json = Vec::new();
    message.to_json(wire, &MarshalOptions::default(), &mut json).ok()?;
    Some(serde_json::from_slice(&json).expect("JSON"))
}

fn one(field: &FieldDescriptor, wire: &[u8]) -> Option<Value> {
    let mut json = b"before".to_vec();
    field.to_json(wire, &MarshalOptions::default(), &mut json).ok()?;
    Some(serde_json::from_slice(json.strip_prefix(b"before").expect("it is appended")).expect("JSON"))
}

/// What a field reads as that a message does not have.
fn is_unset(value: &Value) -> bool {
    let zero = [Value::from(0), Value::from("0"), Value::from(""), Value::from(false), Value::Null];
    let empty = value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty);
    // The first value of an enum is told by its name.
    zero.contains(value) || empty || value.as_f64() == Some(0.0) || value.is_string()
}

#[test]
fn errors_name_the_place_in_the_document_and_leave_the_buffer_alone() {
    let message = message("game.v1.SubscribeRequest");
    let field = message.field("game_id").expect("a field");
    let (document, mut wire) = (r#"{"data": 5, "more": 1}"#, vec![1]);
    let error = field
        .from_json_in(document.as_bytes(), 9..10, &UnmarshalOptions::default(), &mut wire)
        .expect_err("a number is no string");
    assert!(error.to_string().contains("line 1 column 10"), "{error}");
    let document = r#"{"data": "x" "y"}"#;
    assert!(field.from_json_in(document.as_bytes(), 9..16, &UnmarshalOptions::default(), &mut wire).is_err());
    assert_eq!(wire, [1]);
}

proptest! {
    /// Bytes at random are often enough a message, in any order and with unknown fields.
    #[test]
    fn a_field_reads_as_it_does_in_the_whole_message(
        records in prop::collection::vec((1_u8..16, prop::sample::select(vec![0_u8, 2]), prop::collection::vec(0_u8..60, 0..3)), 0..12)
    ) {
        let message = message("game.v1.SubscribeRequest");
        let mut wire = Vec::new();
        for (number, wire_type, value) in records {
            wire.push(number << 3 | wire_type);
            match wire_type {
                0 => wire.push(value.first().copied().unwrap_or(0)),
                _ => {
                    wire.push(u8::try_from(value.len()).expect("it is short"));
                    wire.extend(value);
                }
            }
        }
        let Some(whole) = whole(&message, &wire) else { return Ok(()) };
        for field in message.fields() {
            let Some(found) = one(&field, &wire) else { panic!("{field:?} of {whole}") };
            match whole.get(field.json_name()) {
                Some(expected) => {
                    prop_assert_eq!(&found, expected);
                    // And back.
                    let (json, mut again) = (found.to_string(), Vec::new());
                    field.from_json_in(json.as_bytes(), 0..json.len(), &UnmarshalOptions::default(), &mut again).expect("it was printed");
                    prop_assert_eq!(one(&field, &again), Some(found));
                }
                None => prop_assert!(is_unset(&found), "{:?}: {}", field, found),
            }
        }
    }
}
