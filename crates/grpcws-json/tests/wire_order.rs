//! Wire bytes that no canonical encoder writes and that every decoder must read.

mod common;

use common::wire::{Wire, wire};
use common::{to_json, to_json_with};
use grpcws_json::MarshalOptions;

fn printed(name: &str, wire: Wire) -> String {
    to_json(name, &wire.0).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn fields_in_any_order_are_printed_by_number() {
    let scrambled =
        wire().varint(5, 1).bytes(2, "b").bytes(1, "g").bytes(2, "c").message(3, wire().varint(2, 4));
    assert_eq!(
        printed("game.v1.SubscribeRequest", scrambled),
        r#"{"gameId":"g","playerIds":["b","c"],"target":{"y":4},"mode":"MODE_FAST"}"#
    );
}

#[test]
fn the_last_scalar_wins() {
    assert_eq!(printed("game.v1.Point", wire().varint(1, 1).varint(1, 2)), r#"{"x":2}"#);
    assert_eq!(printed("game.v1.Point", wire().varint(1, 1).varint(2, 3).varint(1, 0)), r#"{"y":3}"#);
}

#[test]
fn messages_merge_on_every_level() {
    let first = wire().message(1, wire().message(1, wire().bytes(2, "lost")).message(4, wire()));
    let second =
        wire().message(1, wire().message(1, wire().bytes(2, "kept").message(3, wire())).message(4, wire()));
    let both = first.bytes(2, "between").raw(&second.0);
    assert_eq!(
        printed("everything.v1.Tree", both),
        r#"{"left":{"left":{"label":"kept","right":{}},"children":[{},{}]},"label":"between"}"#
    );
}

#[test]
fn the_last_member_of_a_oneof_wins() {
    let scalars = |value| wire().varint(3, value);
    assert_eq!(printed("everything.v1.Oneofs", wire().varint(2, 1).bytes(5, "x")), r#"{"stringValue":"x"}"#);
    assert_eq!(printed("everything.v1.Oneofs", wire().bytes(5, "x").varint(2, 1)), r#"{"int32Value":1}"#);
    let merged = wire().message(3, scalars(1)).message(3, wire().varint(4, 2));
    assert_eq!(printed("everything.v1.Oneofs", merged), r#"{"scalars":{"int32Value":1,"int64Value":"2"}}"#);
    // Another member between them drops what was there.
    let dropped = wire().message(3, scalars(1)).varint(2, 5).message(3, wire().varint(4, 2));
    assert_eq!(printed("everything.v1.Oneofs", dropped), r#"{"scalars":{"int64Value":"2"}}"#);
    // Fields that are not members do not.
    let apart = wire().message(3, scalars(1)).bytes(4, "b").message(3, wire().varint(4, 2));
    assert_eq!(
        printed("everything.v1.Oneofs", apart),
        r#"{"scalars":{"int32Value":1,"int64Value":"2"},"between":"b"}"#
    );
}

#[test]
fn of_entries_with_one_key_the_last_stays() {
    let entry = |key: &str, value| wire().bytes(1, key).varint(2, value);
    let request = wire().message(4, entry("a", 1)).message(4, entry("b", 2)).message(4, entry("a", 3));
    assert_eq!(printed("game.v1.SubscribeRequest", request), r#"{"scores":{"b":"2","a":"3"}}"#);
    let many = (0..1000).fold(wire(), |wire, at| wire.message(4, entry(&format!("k{}", at % 100), at)));
    let json = printed("game.v1.SubscribeRequest", many);
    let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(parsed["scores"].as_object().map(|scores| scores.len()), Some(100));
    assert_eq!(parsed["scores"]["k99"], "999");
    assert_eq!(json.matches("\"k7\":").count(), 1);
}

#[test]
fn entries_in_parts() {
    let name = "everything.v1.Maps";
    assert_eq!(printed(name, wire().message(1, wire())), r#"{"stringString":{"":""}}"#);
    assert_eq!(printed(name, wire().message(4, wire())), r#"{"uint32Scalars":{"0":{}}}"#);
    assert_eq!(printed(name, wire().message(12, wire().bytes(2, "x"))), r#"{"boolString":{"false":"x"}}"#);
    let reversed = wire().bytes(2, "v").varint(9, 9).bytes(1, "old").bytes(1, "k");
    assert_eq!(printed(name, wire().message(1, reversed)), r#"{"stringString":{"k":"v"}}"#);
    let merged = wire().varint(1, 5).message(2, wire().varint(3, 1)).message(2, wire().varint(5, 2));
    assert_eq!(
        printed(name, wire().message(4, merged)),
        r#"{"uint32Scalars":{"5":{"int32Value":1,"uint32Value":2}}}"#
    );
}

#[test]
fn unknown_fields_and_other_wire_types_are_skipped() {
    let unknown = wire()
        .varint(1, 1)
        .varint(50, 1)
        .fixed32(51, 1)
        .fixed64(52, 1)
        .bytes(53, "x")
        .group(54, wire().group(55, wire()).varint(1, 7))
        .fixed32(2, 9)
        .varint(2, 3);
    assert_eq!(printed("game.v1.Point", unknown), r#"{"x":1,"y":3}"#);
}

#[test]
fn unknown_values_of_closed_enums_are_unknown_fields() {
    let name = "legacy.v1.Legacy";
    let legacy = wire()
        .varint(5, 2)
        .varint(5, 9)
        .bytes(6, [1, 9, 2])
        .varint(6, 9)
        .message(7, wire().bytes(1, "a").varint(2, 9))
        .message(7, wire().bytes(1, "b").varint(2, 1));
    assert_eq!(
        printed(name, legacy),
        r#"{"closed":"TWO","closedList":["ONE","TWO"],"closedMap":{"b":"ONE"}}"#
    );
    assert_eq!(printed(name, wire().bytes(6, [9]).message(7, wire().varint(2, 9))), "{}");
    // A missing value is the first one.
    assert_eq!(printed(name, wire().message(7, wire().bytes(1, "a"))), r#"{"closedMap":{"a":"ONE"}}"#);
}

#[test]
fn groups() {
    let name = "legacy.v1.Legacy";
    let nested = wire().bytes(1, "n").message(2, wire().bytes(1, "i"));
    assert_eq!(
        printed(name, wire().group(8, nested.clone()).group(9, wire()).group(9, wire().varint(1, 1))),
        r#"{"group":{"name":"n","nested":{"id":"i"}},"item":[{},{"value":1}]}"#
    );
    // Out of order, and merged.
    assert_eq!(
        printed(name, wire().group(9, wire()).group(8, nested).group(8, wire().bytes(1, "m"))),
        r#"{"group":{"name":"m","nested":{"id":"i"}},"item":[{}]}"#
    );
    // A length-delimited value of a field that is a group is an unknown field.
    assert_eq!(printed(name, wire().message(8, wire())), "{}");
}

#[test]
fn values_of_struct_in_parts() {
    let name = "google.protobuf.Value";
    let list = |value: Wire| wire().message(6, wire().message(1, value));
    let number = |value: f64| wire().fixed64(2, value.to_bits());
    assert_eq!(printed(name, list(number(1.0)).raw(&list(number(2.0)).0)), "[1,2]");
    assert_eq!(printed(name, number(1.0).varint(4, 1)), "true");
    assert_eq!(printed(name, list(number(1.0)).varint(1, 0).raw(&list(number(2.0)).0)), "[2]");
    assert_eq!(printed("google.protobuf.ListValue", wire()), "[]");
    let entry = |key: &str, value: Wire| wire().message(1, wire().bytes(1, key).message(2, value));
    let twice = entry("a", number(1.0)).raw(&entry("b", number(2.0)).0).raw(&entry("a", number(3.0)).0);
    assert_eq!(printed("google.protobuf.Struct", twice), r#"{"b":2,"a":3}"#);
}

#[test]
fn numbers_that_are_longer_than_their_type() {
    let long = wire().varint(1, 0x1_0000_0005).varint(2, u64::MAX);
    assert_eq!(printed("game.v1.Point", long), r#"{"x":5,"y":-1}"#);
    assert_eq!(printed("game.v1.Point", wire().varint(1, 0x1_0000_0000)), "{}");
    assert_eq!(printed("game.v1.Point", wire().tag(1, 0).raw(&[0x80, 0x00])), "{}");
}

#[test]
fn unpopulated_fields() {
    let all = MarshalOptions::default().emit_unpopulated(true);
    let defaults = MarshalOptions::default().emit_default_values(true);
    let request = "game.v1.SubscribeRequest";
    assert_eq!(
        to_json_with(request, &[], &all).expect("valid"),
        r#"{"gameId":"","playerIds":[],"target":null,"scores":{},"mode":"MODE_UNSPECIFIED","path":[],"token":""}"#
    );
    assert_eq!(
        to_json_with(request, &wire().message(3, wire()).varint(7, 0).0, &defaults).expect("valid"),
        r#"{"gameId":"","playerIds":[],"target":{"x":0,"y":0},"scores":{},"mode":"MODE_UNSPECIFIED","latest":false,"path":[],"token":""}"#
    );
    // The same whichever way the bytes were gone over.
    let scrambled = wire().bytes(9, "").varint(5, 0).bytes(1, "x");
    assert_eq!(
        to_json_with(request, &scrambled.0, &defaults).expect("valid"),
        r#"{"gameId":"x","playerIds":[],"scores":{},"mode":"MODE_UNSPECIFIED","path":[],"token":""}"#
    );
    assert_eq!(
        to_json_with("legacy.v1.Partial", &[], &all).expect("valid"),
        r#"{"count":null,"closed":null}"#
    );
    assert_eq!(to_json_with("legacy.v1.Partial", &[], &defaults).expect("valid"), "{}");
    assert_eq!(
        to_json_with("everything.v1.WellKnown", &[], &defaults).expect("valid"),
        r#"{"nullValue":null,"values":[],"anys":[],"timestamps":[],"valueMap":{}}"#
    );
}

#[test]
fn names_and_numbers() {
    let options = MarshalOptions::default().use_proto_names(true).use_enum_numbers(true);
    let request = wire().bytes(1, "x").varint(5, 1);
    assert_eq!(
        to_json_with("game.v1.SubscribeRequest", &request.0, &options).expect("valid"),
        r#"{"game_id":"x","mode":1}"#
    );
    let unpopulated = options.emit_unpopulated(true);
    let json = to_json_with("everything.v1.Scalars", &[], &unpopulated).expect("valid");
    assert!(json.contains(r#""int64_value":"0""#) && json.contains(r#""color":0,"renamed":"""#), "{json}");
}

/// A large map whose keys ascend is not noted; where a key comes back late, the last value still counts.
#[test]
fn a_large_map_that_ends_to_ascend() {
    let entry = |key: String, value: &str| wire().message(1, wire().bytes(1, key).bytes(2, value)).0;
    for late in ["00017", "05000", "09999"] {
        let mut bytes: Vec<u8> = (0..10_000).flat_map(|at| entry(format!("{at:05}"), "first")).collect();
        bytes.extend(entry(late.to_owned(), "last"));
        let json = to_json("everything.v1.Maps", &bytes).expect("valid");
        assert_eq!(json.matches("first").count(), 9_999);
        assert!(json.ends_with(&format!("\"{late}\":\"last\"}}}}")), "{late}");
    }
    let mut bytes: Vec<u8> =
        (0..10_000).flat_map(|at| wire().message(2, wire().varint(1, at).varint(2, at)).0).collect();
    assert_eq!(to_json("everything.v1.Maps", &bytes).expect("valid").matches(':').count(), 10_001);
    bytes.extend(wire().message(2, wire().varint(1, 9).varint(2, 77)).0);
    let json = to_json("everything.v1.Maps", &bytes).expect("valid");
    assert_eq!((json.matches(':').count(), json.matches("\"9\":").count()), (10_001, 1));
    assert!(json.ends_with("\"9\":\"77\"}}"));
}
