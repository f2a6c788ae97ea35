//! What is noted of types and extensions that the table does not have.

mod common;

use common::table;
use common::wire::{Wire, wire};
use grpcws_json::{MarshalOptions, MissingType, MissingTypes, UnmarshalOptions};

fn missing(name: &str, wire: &Wire, options: &MarshalOptions) -> Vec<MissingType> {
    let mut missing = MissingTypes::default();
    let message = table().message(name).expect("a type of the table");
    let _ = message.to_json_noting(&wire.0, options, &mut Vec::new(), &mut missing);
    missing.into_iter().collect()
}

fn symbol(name: &str) -> MissingType {
    MissingType::Symbol(name.to_owned())
}

#[test]
fn types_of_an_any_are_noted_whether_that_is_an_error_or_not() {
    let any = wire().bytes(1, "type.example.com/no.Such").bytes(2, "x");
    for opaque in [false, true] {
        let options = MarshalOptions::default().opaque_any(opaque);
        assert_eq!(missing("google.protobuf.Any", &any, &options), [symbol("no.Such")]);
    }
    let known = wire().bytes(1, "a/google.protobuf.Duration");
    assert_eq!(missing("google.protobuf.Any", &known, &MarshalOptions::default()), []);
    let not_a_name = wire().bytes(1, "a/no such").bytes(2, "x");
    assert_eq!(missing("google.protobuf.Any", &not_a_name, &MarshalOptions::default()), []);
}

#[test]
fn fields_whose_numbers_are_for_extensions_are_noted_in_any_order() {
    let extension = |number| MissingType::Extension { message: "legacy.v1.Partial".to_owned(), number };
    let ordered = wire().varint(150, 1).varint(151, 1).varint(150, 2).varint(5_000, 1);
    let scrambled = wire().varint(151, 1).varint(150, 1).varint(100, 1).varint(1, 1).varint(150, 1);
    let options = MarshalOptions::default();
    assert_eq!(missing("legacy.v1.Partial", &ordered, &options), [extension(150), extension(151)]);
    assert!(missing("legacy.v1.Partial", &scrambled, &options).contains(&extension(150)));
}

#[test]
fn a_name_that_keeps_json_from_being_read_is_told() {
    let read = |name: &str, json: &str| {
        let message = table().message(name).expect("a type of the table");
        let error = message.from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut Vec::new());
        MissingType::of_error(&error.expect_err("it cannot be read"))
    };
    let long = format!("{}.{}", "a".repeat(100), "b".repeat(100));
    let any = format!(r#"{{"@type":"type.example.com/{long}","x":1}}"#);
    assert_eq!(read("google.protobuf.Any", &any), Some(symbol(&long)));
    let extended = format!(r#"{{"[{long}]":1}}"#);
    assert_eq!(read("legacy.v1.Partial", &extended), Some(symbol(&long)));
    assert_eq!(read("legacy.v1.Partial", r#"{"unknown":1}"#), None);
    assert_eq!(read("legacy.v1.Partial", "7"), None);
}
