//! The text of errors: line, column, field path, reason.

mod common;

use common::wire::{Wire, wire};
use common::{from_json, from_json_with, to_json};
use grpcws_json::{FromJsonErrorKind, Table, TableError, UnmarshalOptions};

const REQUEST: &str = "game.v1.SubscribeRequest";
const SCALARS: &str = "everything.v1.Scalars";
const WELL_KNOWN: &str = "everything.v1.WellKnown";

#[test]
fn json_that_is_not_the_message() {
    let table: &[(&str, &str, &str)] = &[
        (
            REQUEST,
            r#"{"gameId": "x", "gmae_id": 1}"#,
            r#"line 1 column 17: unknown field "gmae_id" in game.v1.SubscribeRequest"#,
        ),
        (
            REQUEST,
            "{\n  \"target\": {\n    \"z\": 1\n  }\n}",
            r#"line 3 column 5: target: unknown field "z" in game.v1.Point"#,
        ),
        (
            REQUEST,
            r#"{"path":[{},{"x":"a"}]}"#,
            r#"line 1 column 18: path[1].x: expected a value of type int32, found "a""#,
        ),
        (
            REQUEST,
            r#"{"scores":{"é\n":{}}}"#,
            r#"line 1 column 18: scores["é\n"]: expected a value of type int64, found an object"#,
        ),
        (
            REQUEST,
            r#"{"scores":{"a":null}}"#,
            r#"line 1 column 16: scores["a"]: expected a value of type int64, found null"#,
        ),
        (
            REQUEST,
            r#"{"playerIds":["a",null]}"#,
            r#"line 1 column 19: playerIds[1]: expected a value of type string, found null"#,
        ),
        (
            REQUEST,
            r#"{"path":[null]}"#,
            r#"line 1 column 10: path[0]: expected an object for game.v1.Point, found null"#,
        ),
        (REQUEST, r#"{"playerIds":"a"}"#, r#"line 1 column 14: playerIds: expected an array, found "a""#),
        (REQUEST, r#"{"scores":[]}"#, "line 1 column 11: scores: expected an object, found an array"),
        (
            REQUEST,
            r#"{"target":[]}"#,
            "line 1 column 11: target: expected an object for game.v1.Point, found an array",
        ),
        (
            REQUEST,
            r#"{"gameId":1.5e3}"#,
            "line 1 column 11: gameId: expected a value of type string, found 1.5e3",
        ),
        (REQUEST, r#"{"gameId":"a","game_id":"b"}"#, r#"line 1 column 15: duplicate field "gameId""#),
        (REQUEST, r#"{"gameId":null,"gameId":"b"}"#, r#"line 1 column 16: duplicate field "gameId""#),
        (
            REQUEST,
            r#"{"sequence":1,"latest":true}"#,
            r#"line 1 column 15: field "latest" sets oneof "start", which is already set"#,
        ),
        (
            REQUEST,
            r#"{"mode":"MODE_SLOW"}"#,
            r#"line 1 column 9: mode: unknown value "MODE_SLOW" of enum game.v1.Mode"#,
        ),
        (
            REQUEST,
            r#"{"mode":true}"#,
            "line 1 column 9: mode: expected a value of enum game.v1.Mode, found true",
        ),
        (REQUEST, r#"{"mode":1.5}"#, "line 1 column 9: mode: expected a value of type enum, found 1.5"),
        (REQUEST, r#"{"token":"a"}"#, "line 1 column 10: token: expected base64, found a string that is not"),
        (REQUEST, "null", "line 1 column 1: expected an object for game.v1.SubscribeRequest, found null"),
        (REQUEST, "", "line 1 column 1: the text ends within a value"),
        (REQUEST, "{", "line 1 column 2: the text ends within a value"),
        (REQUEST, r#"{"gameId""#, "line 1 column 10: the text ends within a value"),
        (REQUEST, r#"{"gameId":"#, "line 1 column 11: gameId: the text ends within a value"),
        (REQUEST, r#"{"gameId":"x"#, "line 1 column 13: gameId: the text ends within a value"),
        (REQUEST, r#"{"gameId":}"#, "line 1 column 11: gameId: a value is missing"),
        (REQUEST, r#"{"gameId":"x",}"#, "line 1 column 15: expected a member's name in quotes"),
        (REQUEST, r#"{,}"#, "line 1 column 2: expected a member's name in quotes"),
        (REQUEST, r#"{"gameId" "x"}"#, "line 1 column 11: expected a colon"),
        (
            REQUEST,
            r#"{"gameId":"x" "mode":1}"#,
            "line 1 column 15: expected a comma or the end of the object",
        ),
        (REQUEST, r#"{"playerIds":["x",]}"#, "line 1 column 19: playerIds[1]: a value is missing"),
        (
            REQUEST,
            r#"{"playerIds":["x" "y"]}"#,
            "line 1 column 19: playerIds: expected a comma or the end of the array",
        ),
        (REQUEST, r#"{} {}"#, "line 1 column 4: there is more text behind the value"),
        (REQUEST, "{\"gameId\":\"a\nb\"}", "line 1 column 13: gameId: a control character in a string"),
        (REQUEST, r#"{"gameId":"\x"}"#, "line 1 column 12: gameId: an unknown escape in a string"),
        (
            REQUEST,
            r#"{"gameId":"\ud800"}"#,
            "line 1 column 12: gameId: an escape that is not a Unicode character",
        ),
        (
            REQUEST,
            r#"{"gameId":"\udc00"}"#,
            "line 1 column 12: gameId: an escape that is not a Unicode character",
        ),
        (
            REQUEST,
            r#"{"gameId":"\ud800\u0041"}"#,
            "line 1 column 12: gameId: an escape that is not a Unicode character",
        ),
        (
            REQUEST,
            r#"{"gameId":"\u12"}"#,
            "line 1 column 12: gameId: an escape that is not a Unicode character",
        ),
        (REQUEST, r#"{'gameId':1}"#, "line 1 column 2: expected a member's name in quotes"),
        (
            REQUEST,
            r#"{"latest":truex}"#,
            "line 1 column 11: latest: expected a value of type bool, found truex",
        ),
        (
            REQUEST,
            r#"{"latest":"true"}"#,
            r#"line 1 column 11: latest: expected a value of type bool, found "true""#,
        ),
        (REQUEST, r#"{"latest":1}"#, "line 1 column 11: latest: expected a value of type bool, found 1"),
        (
            SCALARS,
            r#"{"int32Value":2147483648}"#,
            "line 1 column 15: int32Value: expected a value of type int32, found 2147483648",
        ),
        (
            SCALARS,
            r#"{"int32Value":0.5}"#,
            "line 1 column 15: int32Value: expected a value of type int32, found 0.5",
        ),
        (
            SCALARS,
            r#"{"int32Value":" 1"}"#,
            r#"line 1 column 15: int32Value: expected a value of type int32, found " 1""#,
        ),
        (
            SCALARS,
            r#"{"int32Value":"1 "}"#,
            r#"line 1 column 15: int32Value: expected a value of type int32, found "1 ""#,
        ),
        (
            SCALARS,
            r#"{"int32Value":""}"#,
            r#"line 1 column 15: int32Value: expected a value of type int32, found """#,
        ),
        (SCALARS, r#"{"int32Value":01}"#, "line 1 column 15: int32Value: not a number"),
        (
            SCALARS,
            r#"{"uint32Value":-1}"#,
            "line 1 column 16: uint32Value: expected a value of type uint32, found -1",
        ),
        (
            SCALARS,
            r#"{"uint64Value":18446744073709551616}"#,
            "line 1 column 16: uint64Value: expected a value of type uint64, found 18446744073709551616",
        ),
        (
            SCALARS,
            r#"{"int64Value":"9223372036854775808"}"#,
            r#"line 1 column 15: int64Value: expected a value of type int64, found "9223372036854775808""#,
        ),
        (
            SCALARS,
            r#"{"floatValue":3.5e38}"#,
            "line 1 column 15: floatValue: expected a value of type float, found 3.5e38",
        ),
        (
            SCALARS,
            r#"{"doubleValue":1e309}"#,
            "line 1 column 16: doubleValue: expected a value of type double, found 1e309",
        ),
        (
            SCALARS,
            r#"{"doubleValue":"nan"}"#,
            r#"line 1 column 16: doubleValue: expected a value of type double, found "nan""#,
        ),
        (
            SCALARS,
            r#"{"doubleValue":NaN}"#,
            "line 1 column 16: doubleValue: expected a value of type double, found NaN",
        ),
        (
            WELL_KNOWN,
            r#"{"timestamp":"2024-13-01T00:00:00Z"}"#,
            r#"line 1 column 14: timestamp: expected a time of RFC 3339 in the years 1 to 9999, found "2024-13-01T00:00:00Z""#,
        ),
        (
            WELL_KNOWN,
            r#"{"duration":5}"#,
            "line 1 column 13: duration: expected a string for google.protobuf.Duration, found 5",
        ),
        (
            WELL_KNOWN,
            r#"{"fieldMask":"a_b"}"#,
            r#"line 1 column 14: fieldMask: expected field paths in lowerCamelCase with commas between them, found "a_b""#,
        ),
        (WELL_KNOWN, r#"{"any":{"x":1}}"#, r#"line 1 column 8: any: an Any without "@type""#),
        (WELL_KNOWN, r#"{"any":{"@type":""}}"#, r#"line 1 column 17: any: an Any without "@type""#),
        (
            WELL_KNOWN,
            r#"{"any":{"@type":"a/b.C"}}"#,
            r#"line 1 column 17: any: the type "a/b.C" of an Any is not among the descriptors: add the file that declares it"#,
        ),
        (
            WELL_KNOWN,
            r#"{"any":{"@type":"game.v1.Point","@type":"game.v1.Point"}}"#,
            r#"line 1 column 33: any: duplicate field "@type""#,
        ),
        (
            WELL_KNOWN,
            r#"{"any":{"@type":"game.v1.Point","z":1}}"#,
            r#"line 1 column 33: any: unknown field "z" in game.v1.Point"#,
        ),
        (
            WELL_KNOWN,
            r#"{"any":{"@type":"google.protobuf.Duration"}}"#,
            r#"line 1 column 8: any: expected a member "value" for google.protobuf.Duration, found an object"#,
        ),
        (WELL_KNOWN, r#"{"struct":[]}"#, "line 1 column 11: struct: expected an object, found an array"),
        (
            WELL_KNOWN,
            r#"{"listValue":{}}"#,
            "line 1 column 14: listValue: expected an array for google.protobuf.ListValue, found an object",
        ),
        (
            WELL_KNOWN,
            r#"{"struct":{"a":[1,{"b":x}]}}"#,
            r#"line 1 column 24: struct["a"][1]["b"]: not a JSON value"#,
        ),
        (
            WELL_KNOWN,
            r#"{"int32Value":"x"}"#,
            r#"line 1 column 15: int32Value: expected a value of type int32, found "x""#,
        ),
        (
            "everything.v1.Maps",
            r#"{"boolString":{"1":"x"}}"#,
            r#"line 1 column 16: boolString["1"]: expected a key of type bool, found "1""#,
        ),
        (
            "everything.v1.Maps",
            r#"{"uint32Scalars":{"-1":{}}}"#,
            r#"line 1 column 19: uint32Scalars["-1"]: expected a key of type uint32, found "-1""#,
        ),
        (
            "legacy.v1.Legacy",
            r#"{"count":1}"#,
            r#"line 1 column 11: missing required field "id" in legacy.v1.Legacy"#,
        ),
        (
            "legacy.v1.Legacy",
            r#"{"id":"x","group":{"nested":{}}}"#,
            r#"line 1 column 30: group.nested: missing required field "id" in legacy.v1.Legacy"#,
        ),
        (
            "legacy.v1.Partial",
            r#"{"closed":3}"#,
            "line 1 column 11: closed: unknown value 3 of enum legacy.v1.Closed",
        ),
        (
            "legacy.v1.Partial",
            r#"{"[legacy.v1.none]":3}"#,
            r#"line 1 column 2: unknown field "[legacy.v1.none]" in legacy.v1.Partial"#,
        ),
    ];
    for (name, json, text) in table {
        let error = from_json(name, json).expect_err(json);
        assert_eq!(error.to_string(), *text, "{json}");
    }
}

#[test]
fn text_that_is_not_utf8() {
    let message = common::message(REQUEST);
    for (json, text) in [
        (&b"{\"gameId\":\"a\xff\"}"[..], "line 1 column 13: gameId: the text is not UTF-8"),
        (b"{\"gameId\":\"\xed\xa0\x80\"}", "line 1 column 12: gameId: the text is not UTF-8"),
        (b"{\"a\xff\":\"\"}", "line 1 column 4: the text is not UTF-8"),
        (b"{\xff}", "line 1 column 2: expected a member's name in quotes"),
    ] {
        let error = message.from_json(json, &Default::default(), &mut Vec::new()).expect_err("not UTF-8");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn unknown_is_discarded_where_asked() {
    let options = UnmarshalOptions::default().discard_unknown(true);
    for (name, json, wire) in [
        (REQUEST, r#"{"a":{"b":[1,{"c":null}],"d":"\n"},"gameId":"x","e":[]}"#, &b"\x0a\x01x"[..]),
        (REQUEST, r#"{"mode":"MODE_SLOW"}"#, b""),
        ("everything.v1.Repeateds", r#"{"color":["COLOR_BLUE","COLOR_RED"]}"#, b"\x82\x01\x01\x01"),
        ("everything.v1.Repeateds", r#"{"color":["COLOR_BLUE"]}"#, b""),
        ("everything.v1.Maps", r#"{"uint64Color":{"1":"COLOR_BLUE"}}"#, b""),
        ("legacy.v1.Partial", r#"{"closed":3,"count":1}"#, b"\x08\x01"),
        (WELL_KNOWN, r#"{"any":{"x":1}}"#, b"\x0a\x00"),
    ] {
        assert_eq!(from_json_with(name, json, &options).expect(json), wire, "{json}");
    }
    for json in
        [r#"{"a":}"#, r#"{"a":[1,]}"#, r#"{"a":{"b"}}"#, r#"{"a":"\x"}"#, r#"{"a":01}"#, r#"{"a":tru}"#]
    {
        let error = from_json_with(REQUEST, json, &options).expect_err("what is skipped must be JSON, too");
        assert!(matches!(error.kind(), FromJsonErrorKind::Syntax(_)), "{json}");
    }
}

#[test]
fn required_fields_may_be_missing_where_allowed() {
    let options = UnmarshalOptions::default().allow_partial(true);
    assert_eq!(from_json_with("legacy.v1.Legacy", "{}", &options).expect("partial"), b"");
    assert_eq!(to_json("legacy.v1.Legacy", b"").expect("not looked at"), "{}");
}

#[test]
fn positions_can_be_shifted() {
    let error = from_json(REQUEST, "{\"x\":1}").expect_err("unknown field");
    assert_eq!((error.line(), error.column(), error.offset()), (1, 2, 1));
    let error = error.shifted(2, 10);
    assert_eq!((error.line(), error.column()), (3, 12));
    let error = from_json(REQUEST, "{\n\"x\":1}").expect_err("unknown field").shifted(2, 10);
    assert_eq!((error.line(), error.column()), (4, 1));
}

#[test]
fn wire_bytes_without_a_json_form() {
    let value = |number: f64| wire().fixed64(2, number.to_bits());
    let table: Vec<(&str, Wire, &str)> = vec![
        (REQUEST, wire().bytes(1, [0xff]), "game_id: the string is not UTF-8 (at byte 2)"),
        (
            REQUEST,
            wire().message(8, wire()).message(8, wire().tag(1, 0).raw(&[0x80])),
            "path[1].x: the message ends within a field (at byte 5)",
        ),
        (REQUEST, wire().raw(&[0x0a, 0x05, b'x']), "game_id: the message ends within a field (at byte 1)"),
        (REQUEST, wire().raw(&[0x00]), "a field's tag is not valid (at byte 0)"),
        (REQUEST, wire().raw(&[0x07]), "a field's tag is not valid (at byte 0)"),
        (REQUEST, wire().raw(&[0x0c]), "a group's end does not match its start (at byte 0)"),
        (REQUEST, wire().raw(&[0xff; 12]), "a varint has more than 64 bits (at byte 0)"),
        (
            "legacy.v1.Legacy",
            wire().tag(8, 3).tag(9, 4),
            "group: a group's end does not match its start (at byte 1)",
        ),
        ("legacy.v1.Legacy", wire().tag(8, 3), "group: the message ends within a field (at byte 1)"),
        (
            "game.v1.SubscribeRequest",
            wire().message(4, wire().bytes(1, "k").tag(2, 0)),
            "scores: the message ends within a field (at byte 6)",
        ),
        (
            "everything.v1.Maps",
            wire().message(4, wire().varint(1, 5).message(2, wire().bytes(14, [0xff]))),
            r#"uint32_scalars["5"].string_value: the string is not UTF-8 (at byte 8)"#,
        ),
        (
            "google.protobuf.Timestamp",
            wire().varint(1, 253_402_300_800),
            "the timestamp is out of range (at byte 0)",
        ),
        (
            "google.protobuf.Timestamp",
            wire().varint(2, u64::MAX),
            "the timestamp is out of range (at byte 0)",
        ),
        (
            "google.protobuf.Duration",
            wire().varint(1, 315_576_000_001),
            "the duration is out of range (at byte 0)",
        ),
        (
            "google.protobuf.Duration",
            wire().varint(1, 1).varint(2, u64::MAX),
            "the duration is out of range (at byte 0)",
        ),
        ("google.protobuf.Duration", wire().varint(1, 1 << 63), "the duration is out of range (at byte 0)"),
        (
            "google.protobuf.FieldMask",
            wire().bytes(1, "aB"),
            "the path \"aB\" of a google.protobuf.FieldMask has no JSON form: only names in snake_case have one (at byte 2)",
        ),
        ("google.protobuf.Value", wire(), "a google.protobuf.Value without a value (at byte 0)"),
        (
            "google.protobuf.Value",
            value(f64::NAN),
            "a google.protobuf.Value that is not a finite number (at byte 0)",
        ),
        (
            WELL_KNOWN,
            wire().message(1, wire().bytes(1, "a/b.C")),
            r#"any: the type "a/b.C" of an Any is not among the descriptors: add the file that declares it (at byte 2)"#,
        ),
        (
            WELL_KNOWN,
            wire().message(1, wire().bytes(2, "x")),
            r#"any: the type "" of an Any is not among the descriptors: add the file that declares it (at byte 2)"#,
        ),
    ];
    for (name, wire, text) in table {
        let error = to_json(name, &wire.0).expect_err(text);
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn descriptors_that_no_table_is_made_from() {
    let error = |set: Wire| Table::from_file_descriptor_set(&set.0).expect_err("not valid").to_string();
    let file = |content: Wire| wire().message(1, wire().bytes(2, "p").bytes(12, "proto3").raw(&content.0));
    let message = |content: Wire| file(wire().message(4, wire().bytes(1, "M").raw(&content.0)));
    let field =
        |number: u64, kind: u64| wire().message(2, wire().bytes(1, "f").varint(3, number).varint(5, kind));
    assert_eq!(
        error(wire().raw(&[0x0a, 0x05])),
        "not a file descriptor set: the message ends within a field at byte 1"
    );
    assert_eq!(error(message(field(0, 5))), "field p.M.f is not valid: its number is out of range");
    assert_eq!(error(message(field(1 << 29, 5))), "field p.M.f is not valid: its number is out of range");
    assert_eq!(error(message(field(1, 99))), "field p.M.f is not valid: its type is not known");
    assert_eq!(error(message(field(1, 11))), "field p.M.f has type , which is in none of the files");
    assert_eq!(
        error(message(field(1, 5).raw(&field(1, 5).0))),
        "field p.M.f is not valid: its number is that of another field"
    );
    let twice = wire().message(4, wire().bytes(1, "M")).message(4, wire().bytes(1, "M"));
    assert_eq!(error(file(twice)), "p.M is defined twice");
    assert!(matches!(
        Table::from_file_descriptor_set(&wire().message(1, wire().bytes(1, "a.proto").varint(14, 5)).0),
        Err(TableError::UnknownEdition { .. })
    ));
    let nested = (0..10_000).fold(wire(), |inner, _| wire().message(3, inner));
    assert!(matches!(
        Table::from_file_descriptor_set(&file(wire().message(4, nested)).0),
        Err(TableError::Malformed { .. })
    ));
}
