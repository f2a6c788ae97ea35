//! Edition features, which no compiler in Rust knows yet: the descriptors are written by hand.

mod common;

use common::wire::{Wire, wire};
use grpcws_json::{MarshalOptions, Message, Table, UnmarshalOptions};

const EXPLICIT: u64 = 1;
const IMPLICIT: u64 = 2;
const LEGACY_REQUIRED: u64 = 3;
const CLOSED: u64 = 2;
const EXPANDED: u64 = 2;
const DELIMITED: u64 = 2;

const INT32: u64 = 5;
const MESSAGE: u64 = 11;
const ENUM: u64 = 14;

const OPTIONAL: u64 = 1;
const REPEATED: u64 = 3;

/// The fields of `google.protobuf.FeatureSet`.
const FIELD_PRESENCE: u32 = 1;
const ENUM_TYPE: u32 = 2;
const REPEATED_FIELD_ENCODING: u32 = 3;
const MESSAGE_ENCODING: u32 = 5;

fn field(name: &str, number: u64, label: u64, kind: u64, type_name: &str, features: Wire) -> Wire {
    wire().message(
        2,
        wire()
            .bytes(1, name)
            .varint(3, number)
            .varint(4, label)
            .varint(5, kind)
            .bytes(6, type_name)
            .message(8, wire().message(21, features)),
    )
}

fn enumeration(name: &str, features: Wire) -> Wire {
    let value = |name: &str, number| wire().message(2, wire().bytes(1, name).varint(2, number));
    wire()
        .bytes(1, name)
        .raw(&value(&format!("{name}_ZERO"), 0).0)
        .raw(&value(&format!("{name}_ONE"), 1).0)
        .message(3, wire().message(7, features))
}

/// A file of edition 2023 with `file_features`, in which message `e.M` has `fields`.
fn table(file_features: Wire, fields: &[Wire]) -> Table {
    let message = fields.iter().fold(wire().bytes(1, "M"), |message, field| message.raw(&field.0));
    let file = wire()
        .bytes(1, "e.proto")
        .bytes(2, "e")
        .message(4, message)
        .message(5, enumeration("Open", wire()))
        .message(5, enumeration("Shut", wire().varint(ENUM_TYPE, CLOSED)))
        .message(8, wire().message(50, file_features))
        .bytes(12, "editions")
        .varint(14, 1000);
    Table::from_file_descriptor_set(&wire().message(1, file).0).expect("the descriptors are valid")
}

fn message(table: &Table) -> Message {
    table.message("e.M").expect("it is in the table")
}

fn read(table: &Table, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    message(table).from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut out).expect(json);
    out
}

fn print(table: &Table, wire: &Wire) -> String {
    let mut out = Vec::new();
    message(table).to_json(&wire.0, &MarshalOptions::default(), &mut out).expect("valid");
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn presence() {
    let table = table(
        wire(),
        &[
            field("explicit", 1, OPTIONAL, INT32, "", wire()),
            field("implicit", 2, OPTIONAL, INT32, "", wire().varint(FIELD_PRESENCE, IMPLICIT)),
        ],
    );
    assert_eq!(read(&table, r#"{"explicit":0,"implicit":0}"#), [8, 0]);
    assert_eq!(print(&table, &wire().varint(1, 0).varint(2, 0)), r#"{"explicit":0}"#);
}

#[test]
fn presence_of_the_file_and_required_fields() {
    let table = table(
        wire().varint(FIELD_PRESENCE, IMPLICIT),
        &[
            field("implicit", 1, OPTIONAL, INT32, "", wire()),
            field("explicit", 2, OPTIONAL, INT32, "", wire().varint(FIELD_PRESENCE, EXPLICIT)),
            field("needed", 3, OPTIONAL, INT32, "", wire().varint(FIELD_PRESENCE, LEGACY_REQUIRED)),
            field("child", 4, OPTIONAL, MESSAGE, ".e.M", wire()),
        ],
    );
    assert_eq!(read(&table, r#"{"implicit":0,"explicit":0,"needed":0}"#), [16, 0, 24, 0]);
    let error = message(&table).from_json(b"{}", &UnmarshalOptions::default(), &mut Vec::new());
    assert_eq!(
        error.expect_err("a required field is missing").to_string(),
        r#"line 1 column 2: missing required field "needed" in e.M"#
    );
    // A message has presence whatever the file says.
    assert_eq!(print(&table, &wire().message(4, wire())), r#"{"child":{}}"#);
}

#[test]
fn enums() {
    let table = table(
        wire(),
        &[
            field("open", 1, OPTIONAL, ENUM, ".e.Open", wire()),
            field("shut", 2, OPTIONAL, ENUM, ".e.Shut", wire()),
        ],
    );
    assert_eq!(print(&table, &wire().varint(1, 7).varint(2, 7)), r#"{"open":7}"#);
    assert_eq!(read(&table, r#"{"open":7,"shut":1}"#), [8, 7, 16, 1]);
    let error = message(&table).from_json(br#"{"shut":7}"#, &UnmarshalOptions::default(), &mut Vec::new());
    assert_eq!(
        error.expect_err("closed").to_string(),
        "line 1 column 9: shut: unknown value 7 of enum e.Shut"
    );
}

#[test]
fn repeated_encoding() {
    let table = table(
        wire(),
        &[
            field("packed", 1, REPEATED, INT32, "", wire()),
            field("expanded", 2, REPEATED, INT32, "", wire().varint(REPEATED_FIELD_ENCODING, EXPANDED)),
        ],
    );
    assert_eq!(read(&table, r#"{"packed":[1,2],"expanded":[1,2]}"#), [10, 2, 1, 2, 16, 1, 16, 2]);
}

#[test]
fn delimited_messages() {
    let delimited = wire().varint(MESSAGE_ENCODING, DELIMITED);
    let table = table(
        delimited,
        &[
            field("child", 1, OPTIONAL, MESSAGE, ".e.M", wire()),
            field("time", 2, OPTIONAL, MESSAGE, ".e.M", wire().varint(MESSAGE_ENCODING, 1)),
            field("x", 3, OPTIONAL, INT32, "", wire()),
        ],
    );
    let json = r#"{"child":{"child":{},"x":1},"time":{}}"#;
    let bytes = read(&table, json);
    assert_eq!(bytes, [0x0b, 0x0b, 0x0c, 0x18, 1, 0x0c, 0x12, 0]);
    assert_eq!(print(&table, &wire().raw(&bytes)), json);
}
