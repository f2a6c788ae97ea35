//! JSON that is printed as it was read, and JSON that is read in other forms than it is printed in.

mod common;

use common::wire;
use common::{from_json, round_trip, to_json};

/// Each is in the form in which it is printed.
#[test]
fn canonical_json_stays() {
    for (name, json) in [
        ("game.v1.SubscribeRequest", "{}"),
        (
            "game.v1.SubscribeRequest",
            r#"{"gameId":"g\"\\\n\u0001é𝄞","playerIds":["a",""],"target":{"x":-1},"scores":{"a":"1","b":"0"},"mode":"MODE_FAST","latest":false,"path":[{},{"y":2}],"token":"AQI="}"#,
        ),
        (
            "everything.v1.Scalars",
            r#"{"doubleValue":1.5,"floatValue":0.1,"int32Value":-2147483648,"int64Value":"-9223372036854775808","uint32Value":4294967295,"uint64Value":"18446744073709551615","sint32Value":-1,"sint64Value":"9223372036854775807","fixed32Value":7,"fixed64Value":"8","sfixed32Value":-9,"sfixed64Value":"-10","boolValue":true,"stringValue":"x","bytesValue":"AA==","color":"COLOR_GREEN","other-name":"y"}"#,
        ),
        ("everything.v1.Scalars", r#"{"doubleValue":"NaN","floatValue":"-Infinity"}"#),
        ("everything.v1.Scalars", r#"{"doubleValue":-0.0,"color":77}"#),
        (
            "everything.v1.Optionals",
            r#"{"doubleValue":0,"int32Value":0,"int64Value":"0","boolValue":false,"stringValue":"","bytesValue":"","color":"COLOR_UNSPECIFIED","nullValue":null}"#,
        ),
        (
            "everything.v1.Repeateds",
            r#"{"doubleValue":[1,2],"floatValue":[1.5],"int32Value":[1,-1],"int64Value":["1","-1"],"uint32Value":[1,2],"sint64Value":["-1"],"fixed32Value":[1],"sfixed64Value":["1"],"boolValue":[true,false],"stringValue":["",""],"bytesValue":["","AQ=="],"color":["COLOR_NEGATIVE","COLOR_LARGE",5],"scalars":[{},{"int32Value":1}]}"#,
        ),
        (
            "everything.v1.Maps",
            r#"{"stringString":{"":"","a":"b"},"int32Int64":{"-1":"2"},"int64Double":{"3":4.5},"uint32Scalars":{"1":{}},"uint64Color":{"18446744073709551615":"COLOR_RED"},"sint32Bytes":{"-5":"AQ=="},"sint64Bool":{"-6":true},"fixed32Float":{"7":0.25},"fixed64Uint64":{"8":"9"},"sfixed32Sint32":{"-10":-11},"sfixed64Fixed64":{"-12":"13"},"boolString":{"false":"no","true":"yes"}}"#,
        ),
        ("everything.v1.Oneofs", r#"{"int32Value":0}"#),
        ("everything.v1.Oneofs", r#"{"scalars":{},"between":"b"}"#),
        ("everything.v1.Oneofs", r#"{"nullValue":null}"#),
        ("everything.v1.Oneofs", r#"{"value":null}"#),
        (
            "everything.v1.Tree",
            r#"{"left":{"left":{"label":"x"}},"label":"y","children":[{"children":[{}]}],"named":{"a":{"label":"z"}}}"#,
        ),
        (
            "everything.v1.WellKnown",
            r#"{"any":{"@type":"type.googleapis.com/game.v1.Point","x":1},"timestamp":"2024-02-29T12:34:56.000001Z","duration":"-1.500s","fieldMask":"a,fooBar.baz","struct":{"a":null,"b":[1,"x",{"c":false}]},"value":{"x":[]},"listValue":[1,[2]],"doubleValue":0,"floatValue":1,"int64Value":"2","uint64Value":"3","int32Value":4,"uint32Value":5,"boolValue":false,"stringValue":"","bytesValue":"AA==","empty":{},"values":[null,1,"x",true,[],{}],"anys":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"},{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/google.protobuf.Empty","value":{}}},{}],"timestamps":["0001-01-01T00:00:00Z","9999-12-31T23:59:59.999Z"],"valueMap":{"n":null}}"#,
        ),
        (
            "legacy.v1.Partial",
            r#"{"count":0,"closed":"ONE","[legacy.v1.top_level]":5,"[legacy.v1.many]":[{"count":1}],"[legacy.v1.Scope.inner]":{}}"#,
        ),
        (
            "legacy.v1.Legacy",
            r#"{"id":"","unpacked":[1,2],"packed":[3,4],"closed":"TWO","closedList":["ONE"],"closedMap":{"a":"ONE"},"group":{"name":"g","nested":{"id":"i"}},"item":[{"value":1},{}]}"#,
        ),
    ] {
        assert_eq!(round_trip(name, json), json);
    }
}

/// What is read, and what is printed then.
#[test]
fn other_forms_are_read() {
    for (name, json, printed) in [
        ("game.v1.SubscribeRequest", " {\n\t\"game_id\" : \"x\" }\r\n", r#"{"gameId":"x"}"#),
        ("game.v1.SubscribeRequest", r#"{"gameId":null,"playerIds":null,"scores":null,"target":null}"#, "{}"),
        ("game.v1.SubscribeRequest", r#"{"gameId":"","mode":0,"token":""}"#, "{}"),
        ("game.v1.SubscribeRequest", r#"{"token":"-_8"}"#, r#"{"token":"+/8="}"#),
        ("game.v1.SubscribeRequest", r#"{"gameId":"\u0041\/\ud834\udd1e\b"}"#, r#"{"gameId":"A/𝄞\b"}"#),
        ("game.v1.SubscribeRequest", r#"{"g\u0061meId":"x"}"#, r#"{"gameId":"x"}"#),
        ("game.v1.SubscribeRequest", r#"{"scores":{"a":1,"b":2,"a":3}}"#, r#"{"scores":{"b":"2","a":"3"}}"#),
        (
            "game.v1.SubscribeRequest",
            r#"{"latest":null,"sequence":9007199254740993}"#,
            r#"{"sequence":"9007199254740993"}"#,
        ),
        (
            "everything.v1.Scalars",
            r#"{"int32Value":1e3,"int64Value":1.0,"uint64Value":"1.5e1"}"#,
            r#"{"int32Value":1000,"int64Value":"1","uint64Value":"15"}"#,
        ),
        (
            "everything.v1.Scalars",
            r#"{"int32Value":"-5","uint32Value":-0,"doubleValue":"1e-7","floatValue":"3"}"#,
            r#"{"doubleValue":1e-7,"floatValue":3,"int32Value":-5}"#,
        ),
        ("everything.v1.Scalars", r#"{"color":"COLOR_VERDANT"}"#, r#"{"color":"COLOR_GREEN"}"#),
        (
            "everything.v1.Scalars",
            r#"{"renamed":"x","color":1}"#,
            r#"{"color":"COLOR_RED","other-name":"x"}"#,
        ),
        ("everything.v1.Optionals", r#"{"nullValue":"NULL_VALUE"}"#, r#"{"nullValue":null}"#),
        (
            "everything.v1.Oneofs",
            r#"{"int32Value":null,"scalars":null,"stringValue":"x"}"#,
            r#"{"stringValue":"x"}"#,
        ),
        (
            "everything.v1.WellKnown",
            r#"{"any":{"x":7,"@type":"game.v1.Point"}}"#,
            r#"{"any":{"@type":"game.v1.Point","x":7}}"#,
        ),
        (
            "everything.v1.WellKnown",
            r#"{"any":{"value":"1.5s","@type":"a/google.protobuf.Duration"}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Duration","value":"1.500s"}}"#,
        ),
        (
            "everything.v1.WellKnown",
            r#"{"any":{"@type":"a/google.protobuf.Empty"}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Empty","value":{}}}"#,
        ),
        ("everything.v1.WellKnown", r#"{"any":{}}"#, r#"{"any":{}}"#),
        (
            "everything.v1.WellKnown",
            r#"{"timestamp":"1970-01-01T01:00:00+01:00"}"#,
            r#"{"timestamp":"1970-01-01T00:00:00Z"}"#,
        ),
        (
            "everything.v1.WellKnown",
            r#"{"value":null,"stringValue":null,"struct":null}"#,
            r#"{"value":null}"#,
        ),
        ("everything.v1.WellKnown", r#"{"struct":{"a":1,"a":2}}"#, r#"{"struct":{"a":2}}"#),
        ("everything.v1.WellKnown", r#"{"fieldMask":""}"#, r#"{"fieldMask":""}"#),
    ] {
        assert_eq!(round_trip(name, json), printed, "{json}");
    }
}

#[test]
fn lengths_of_all_sizes_are_patched() {
    for length in [0_usize, 1, 100, 127, 128, 129, 16_383, 16_384, 300_000] {
        let json = format!(r#"{{"left":{{"left":{{"label":"{}"}}}}}}"#, "x".repeat(length));
        let printed = if length == 0 { r#"{"left":{"left":{}}}"#.to_owned() } else { json.clone() };
        assert_eq!(round_trip("everything.v1.Tree", &json), printed);
        let escaped = json.replace('x', "\\u0078");
        assert_eq!(round_trip("everything.v1.Tree", &escaped), printed);
    }
}

#[test]
fn packed_and_unpacked_are_written_as_declared() {
    let wire =
        from_json("everything.v1.Repeateds", r#"{"int32Value":[1,2],"uint32Value":[3,4]}"#).expect("valid");
    assert_eq!(wire, [0x1a, 2, 1, 2, 0x28, 3, 0x28, 4]);
    let both = [0x18, 1, 0x1a, 1, 2, 0x18, 3, 0x2a, 2, 4, 5, 0x28, 6];
    let json = to_json("everything.v1.Repeateds", &both).expect("valid");
    assert_eq!(json, r#"{"int32Value":[1,2,3],"uint32Value":[4,5,6]}"#);
    assert_eq!(to_json("everything.v1.Repeateds", &[0x1a, 0]).expect("valid"), "{}");
    assert_eq!(
        from_json("everything.v1.Repeateds", r#"{"int32Value":[],"scalars":[]}"#).expect("valid"),
        b""
    );
}

#[test]
fn prefix_and_position_in_a_document() {
    let message = common::message("game.v1.Point");
    let document = br#"{"id":1, "data": {"x":1} , "more":2}"#;
    let mut out = Vec::new();
    let end = message.from_json_at(document, 16, &Default::default(), &mut out).expect("valid");
    assert_eq!(&document[end..], br#" , "more":2}"#);
    assert_eq!(out, [8, 1]);
    let read = message.from_json_prefix(b" {} ]", &Default::default(), &mut out).expect("valid");
    assert_eq!(read, 3);
    message.from_json_in(document, 16..25, &Default::default(), &mut out).expect("valid");
    let error = message.from_json_in(document, 16..30, &Default::default(), &mut out).expect_err("more text");
    assert_eq!(error.to_string(), "line 1 column 26: there is more text behind the value");
    assert_eq!(out, [8, 1, 8, 1]);
}

/// Whatever the length of the key, and wherever in the output it stands.
#[test]
fn the_last_of_equal_keys_counts() {
    for length in 0..40 {
        let key = "k".repeat(length);
        for others in 0..12 {
            let others: String = (0..others).map(|at| format!(r#","{at}k":"{at}""#)).collect();
            let (twice, once) = (
                format!(r#"{{"{key}":"a"{others},"{key}":"b"}}"#),
                format!(
                    r#"{{{}"{key}":"b"}}"#,
                    others.strip_prefix(',').map_or(String::new(), |all| format!("{all},"))
                ),
            );
            assert_eq!(round_trip("google.protobuf.Struct", &twice), once);
            let map = |entries| format!(r#"{{"stringString":{entries}}}"#);
            assert_eq!(round_trip("everything.v1.Maps", &map(twice)), map(once));
        }
    }
}

/// An object of two members and a type, which stands where the last of `places` says.
fn any(name: &str, mut members: Vec<String>, places: &mut Vec<usize>) -> String {
    let place = places.pop().unwrap_or_default();
    members.insert(place, format!(r#""@type":"type.googleapis.com/{name}""#));
    format!("{{{}}}", members.join(","))
}

fn nested_anys(depth: u32, places: &mut Vec<usize>) -> String {
    if depth == 0 {
        return any("game.v1.Point", vec![r#""x":1"#.to_owned(), r#""y":-1"#.to_owned()], places);
    }
    let types = r#""value":{"a":{"b":[{"c":1,"@type":"x"}],"@type":2},"@type":{"@type":"","d":0}}"#;
    let other = vec![types.to_owned(), r#""timestamp":"2024-01-01T00:00:00Z""#.to_owned()];
    let other = any("everything.v1.WellKnown", other, places);
    let (first, second) = (nested_anys(depth - 1, places), nested_anys(depth - 1, places));
    let members = vec![format!(r#""any":{first}"#), format!(r#""anys":[{other},{second}]"#)];
    any("everything.v1.WellKnown", members, places)
}

#[test]
fn the_type_of_an_any_stands_anywhere_among_its_members() {
    let name = "google.protobuf.Any";
    let first = from_json(name, &nested_anys(3, &mut Vec::new())).expect("valid");
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let mut places = std::iter::repeat_with(|| random.usize(..3)).take(22).collect();
        let json = nested_anys(3, &mut places);
        assert!(places.is_empty());
        assert_eq!(from_json(name, &json).as_ref(), Ok(&first), "{json}");
    }
}

/// In an array, doubles of many digits are appended later than they are made.
#[test]
fn doubles_are_the_same_in_an_array() {
    let kinds = [0.5, -99.9, 0.1 + 0.2, 1e300, -5e-324, 1e8, -0.0, f64::NAN, f64::INFINITY, 1.0 / 3.0];
    let mut random = fastrand::Rng::with_seed(2);
    for _ in 0..2000 {
        let numbers: Vec<f64> = (0..random.usize(1..9)).map(|_| kinds[random.usize(..kinds.len())]).collect();
        let alone = |number: &f64| {
            to_json("google.protobuf.DoubleValue", &[&[9], &number.to_le_bytes()[..]].concat())
                .expect("valid")
        };
        let alone: Vec<String> = numbers.iter().map(alone).collect();
        let packed: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let json = to_json("everything.v1.Repeateds", &wire::wire().bytes(1, packed).0).expect("valid");
        assert_eq!(json, format!(r#"{{"doubleValue":[{}]}}"#, alone.join(",")));
    }
}
