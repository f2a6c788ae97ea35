//! Input that is made to hurt: nesting, repetition, truncation, random bytes. Each test also bounds the time or the
//! stack by running at all.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test data"
)]

mod common;

use std::time::{Duration, Instant};

use common::wire::{Wire, wire};
use common::{from_json, from_json_with, message, to_json};
use grpcws_json::{
    FromJsonErrorKind, MAX_RECURSION_LIMIT, MarshalOptions, Table, ToJsonErrorKind, UnmarshalOptions,
};
use proptest::prelude::*;

fn nested(depth: usize, level: impl Fn(Wire) -> Wire) -> Vec<u8> {
    (0..depth).fold(wire(), |inner, _| level(inner)).0
}

fn is_too_deep_for_json(name: &str, wire: &[u8]) -> bool {
    match to_json(name, wire) {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), &ToJsonErrorKind::RecursionLimit);
            true
        }
    }
}

#[test]
fn wire_nesting_is_bounded() {
    let tree = |depth| nested(depth, |inner| wire().message(1, inner));
    assert!(!is_too_deep_for_json("everything.v1.Tree", &tree(99)));
    assert!(is_too_deep_for_json("everything.v1.Tree", &tree(100)));
    assert!(is_too_deep_for_json("everything.v1.Tree", &tree(10_000)));
    let disordered = nested(10_000, |inner| wire().bytes(2, "x").message(1, inner));
    assert!(is_too_deep_for_json("everything.v1.Tree", &disordered));
    let list = nested(10_000, |inner| wire().message(6, wire().message(1, inner)));
    assert!(is_too_deep_for_json("google.protobuf.Value", &list));
    let object = nested(10_000, |inner| wire().message(5, wire().message(1, wire().message(2, inner))));
    assert!(is_too_deep_for_json("google.protobuf.Value", &object));
    let any = nested(2_000, |inner| wire().bytes(1, "a/google.protobuf.Any").message(2, inner));
    assert!(is_too_deep_for_json("google.protobuf.Any", &any));
    let group = nested(10_000, |inner| wire().group(8, wire().message(2, inner)));
    assert!(is_too_deep_for_json("legacy.v1.Legacy", &group));
    let unknown = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    assert!(matches!(
        to_json("game.v1.Point", &unknown).expect_err("too deep").kind(),
        ToJsonErrorKind::Malformed(_)
    ));
}

#[test]
fn json_nesting_is_bounded() {
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + "{}" + &close.repeat(depth);
    let kind = |name, json: &str| from_json(name, json).map(drop).map_err(|error| error.kind().clone());
    assert_eq!(kind("everything.v1.Tree", &deep(r#"{"left":"#, "}", 99)), Ok(()));
    for depth in [100, 10_000] {
        for (name, open, close) in [
            ("everything.v1.Tree", r#"{"left":"#, "}"),
            ("everything.v1.Tree", r#"{"children":["#, "]}"),
            ("everything.v1.Tree", r#"{"named":{"a":"#, "}}"),
            ("google.protobuf.Value", "[", "]"),
            ("google.protobuf.Value", r#"{"a":"#, "}"),
            ("google.protobuf.Any", r#"{"@type":"google.protobuf.Any","value":"#, "}"),
            ("google.protobuf.Any", r#"{"value":"#, r#","@type":"google.protobuf.Any"}"#),
        ] {
            let text = deep(open, close, depth);
            assert_eq!(kind(name, &text), Err(FromJsonErrorKind::RecursionLimit), "{open} {depth}");
        }
        let options = UnmarshalOptions::default().discard_unknown(true);
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let text = format!(r#"{{"unknown":{}}}"#, deep(open, close, depth));
            let error = from_json_with("game.v1.Point", &text, &options).expect_err("too deep");
            assert_eq!(error.kind(), &FromJsonErrorKind::RecursionLimit);
        }
    }
}

/// The largest limit that can be set fits in the smallest stack that is usual, 2 MiB, also without optimization.
#[test]
fn the_largest_limit_fits_in_a_stack() {
    // Not by way of `to_json_with`, whose check of the JSON has a limit of its own.
    let print = |name, wire: &[u8]| {
        let marshal = MarshalOptions::default().recursion_limit(u32::MAX);
        let mut json = Vec::new();
        message(name).to_json(wire, &marshal, &mut json).expect("not too deep");
        String::from_utf8(json).expect("JSON is UTF-8")
    };
    let run = move || {
        let depth = MAX_RECURSION_LIMIT as usize - 1;
        let unmarshal = UnmarshalOptions::default().recursion_limit(u32::MAX).discard_unknown(true);
        for (name, open, close) in [
            ("everything.v1.Tree", r#"{"left":"#, "}"),
            ("everything.v1.Tree", r#"{"children":["#, "]}"),
            ("everything.v1.Tree", r#"{"named":{"a":"#, "}}"),
            ("everything.v1.Tree", r#"{"unknown":"#, "}"),
            ("legacy.v1.Partial", r#"{"[legacy.v1.Scope.inner]":"#, "}"),
            ("google.protobuf.Any", r#"{"@type":"google.protobuf.Any","value":"#, "}"),
            ("google.protobuf.Any", r#"{"value":"#, r#","@type":"google.protobuf.Any"}"#),
        ] {
            let json = open.repeat(depth) + "{}" + &close.repeat(depth);
            let wire = from_json_with(name, &json, &unmarshal).expect("not too deep");
            if !open.contains("unknown") {
                assert_eq!(print(name, &wire).len(), json.len());
            }
        }
        let lists = "[".repeat(depth / 2) + &"]".repeat(depth / 2);
        let bytes = from_json_with("google.protobuf.Value", &lists, &unmarshal).expect("not too deep");
        assert_eq!(print("google.protobuf.Value", &bytes), lists);
        let disordered = nested(depth, |inner| wire().bytes(2, "x").message(1, inner));
        assert_eq!(print("everything.v1.Tree", &disordered).matches("label").count(), depth);
    };
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(run)
        .expect("a thread")
        .join()
        .expect("no overflow");
}

/// Wherever the disorder is, it costs a second pass and not one per level.
#[test]
fn disorder_on_every_level_takes_linear_time() {
    let start = Instant::now();
    let tree = nested(99, |inner| wire().message(1, inner).bytes(2, "a").bytes(2, "b"));
    let twice = nested(60, |inner| wire().message(1, inner.clone()).message(1, wire()));
    for _ in 0..100 {
        to_json("everything.v1.Tree", &tree).expect("valid");
        to_json("everything.v1.Tree", &twice).expect("valid");
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn many_records_take_linear_time() {
    let start = Instant::now();
    let interleaved = (0..300_000).fold(wire(), |wire, at| wire.varint(3, at).varint(4, at));
    let json = to_json("everything.v1.Repeateds", &interleaved.0).expect("valid");
    assert_eq!(json.matches(',').count(), 600_000 - 1);
    let entries = (0..100_000).rev().fold(wire(), |all, at| all.message(2, wire().varint(1, at % 50_000)));
    let json = to_json("everything.v1.Maps", &entries.0).expect("valid");
    assert_eq!(json.matches(':').count(), 50_000 + 1);
    let json = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(300_000));
    from_json("google.protobuf.Struct", &json).expect("valid");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// A number where a message is expected has no content.
#[test]
fn descriptors_of_another_wire_type_take_linear_time() {
    let start = Instant::now();
    for number in [2, 3, 4, 6, 7, 8] {
        let message = (0..100_000).fold(wire(), |all, _| all.varint(number, 1));
        let set = wire().message(1, wire().message(4, message));
        let _ = Table::from_file_descriptor_set(&set.0);
    }
    let file = (0..100_000).fold(wire(), |all, at| all.varint(4 + at % 2, 8));
    let _ = Table::from_file_descriptor_set(&wire().message(1, file).0);
    let set = (0..100_000).fold(wire(), |all, _| all.varint(1, 8));
    let _ = Table::from_file_descriptor_set(&set.0);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// Some numbers are long to compute with, and short to write.
#[test]
fn numbers_take_linear_time() {
    let start = Instant::now();
    let zeros = "0".repeat(1_000_000);
    for (value, valid) in [
        (format!("1{zeros}e-1000000"), true),
        (format!("0.{zeros}1e1000001"), true),
        (format!("1e{zeros}9"), true),
        (format!("1e9{zeros}"), false),
        (format!("1e-9{zeros}"), false),
    ] {
        let json = format!(r#"{{"int64Value":{value},"doubleValue":"NaN"}}"#);
        assert_eq!(from_json("everything.v1.Scalars", &json).is_ok(), valid);
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn every_truncation_is_an_error_or_valid() {
    let json = r#"{"gameId":"x\u00e9","playerIds":["a"],"target":{"x":-1},"scores":{"a":"1"},"latest":false,"token":"AQI="}"#;
    let wire = from_json("game.v1.SubscribeRequest", json).expect("valid");
    for end in 0..json.len() {
        assert!(from_json("game.v1.SubscribeRequest", &json[..end]).is_err(), "{}", &json[..end]);
    }
    let cut =
        (0..wire.len()).filter(|&end| to_json("game.v1.SubscribeRequest", &wire[..end]).is_err()).count();
    // Cut between two fields, what is left is a message.
    assert_eq!(cut, wire.len() - 6);
}

const NAMES: [&str; 12] = [
    "game.v1.SubscribeRequest",
    "everything.v1.Scalars",
    "everything.v1.Optionals",
    "everything.v1.Repeateds",
    "everything.v1.Maps",
    "everything.v1.Oneofs",
    "everything.v1.Tree",
    "everything.v1.WellKnown",
    "legacy.v1.Legacy",
    "legacy.v1.Partial",
    "google.protobuf.Value",
    "google.protobuf.Any",
];

/// Pieces that random JSON is made of.
const TOKENS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "null",
    "true",
    "0",
    "-1",
    "1.5e3",
    "\"a\"",
    "\\",
    "\\u",
    "d800",
    " ",
    "\n",
    "\"left\"",
    "\"left\":{",
    "\"children\":[",
    "\"named\":{",
    "\"label\":\"",
    "\"@type\":\"google.protobuf.Any\"",
    "\"value\":",
    "\"int32Value\":",
    "\"timestamp\":\"2024-01-01T00:00:00Z\"",
    "\"duration\":\"1s\"",
    "\"scores\":{",
    "\"mode\":\"MODE_FAST\"",
    "\"stringString\":{",
    "\"group\":{",
    "\"1\":",
    "é",
    "\u{1}",
    "1e999",
    "\"NaN\"",
    "\"fieldMask\":\"a,b\"",
    "\"any\":{",
    "\"x\":1",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for name in NAMES {
            let _ = to_json(name, &bytes);
            let _ = message(name).from_json(&bytes, &UnmarshalOptions::default(), &mut Vec::new());
        }
        let _ = Table::from_file_descriptor_set(&bytes);
    }

    #[test]
    fn random_tokens_never_panic(tokens in proptest::collection::vec(proptest::sample::select(&TOKENS[..]), 0..40)) {
        let text = tokens.concat();
        for name in NAMES {
            for options in [UnmarshalOptions::default(), UnmarshalOptions::default().discard_unknown(true).allow_partial(true)] {
                if let Ok(wire) = from_json_with(name, &text, &options) {
                    // What is read has a JSON form again.
                    to_json(name, &wire).unwrap();
                }
            }
        }
    }

    #[test]
    fn random_fields_never_panic(
        fields in proptest::collection::vec((1_u32..24, 0_u32..6, any::<u64>(), proptest::collection::vec(0_u8..40, 0..12)), 0..12),
    ) {
        let mut bytes = wire();
        for (number, wire_type, value, content) in fields {
            bytes = match wire_type {
                0 => bytes.varint(number, value),
                1 => bytes.fixed64(number, value),
                2 => bytes.bytes(number, content),
                3 => bytes.group(number, wire().bytes(1, content)),
                4 => bytes.varint(number, value & 7),
                _ => bytes.fixed32(number, value as u32),
            };
        }
        for name in NAMES {
            let _ = to_json(name, &bytes.0);
        }
    }

    #[test]
    fn mutated_descriptors_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut set = common::descriptor_set().to_vec();
        for (at, byte) in changes {
            let at = at.index(set.len());
            set[at] = byte;
        }
        if let Ok(table) = Table::from_file_descriptor_set(&set) {
            let names: Vec<String> = table.message_names().map(str::to_owned).collect();
            for name in names {
                let message = table.message(&name).unwrap();
                let all = MarshalOptions::default().emit_unpopulated(true);
                let mut json = Vec::new();
                if message.to_json(&[], &all, &mut json).is_ok() {
                    serde_json::from_slice::<serde_json::Value>(&json).unwrap();
                    let _ = message.from_json(&json, &UnmarshalOptions::default(), &mut Vec::new());
                }
            }
        }
    }
}

/// Each kind of loop in which a few bytes can become long texts, in order and not.
#[test]
fn the_size_of_the_json_is_bounded() {
    let repeat = |part: Wire| part.0.repeat(20_000);
    let disordered = |wire: &[u8], number| [wire, &wire_of(number).0, wire].concat();
    let timestamps = repeat(wire().message(21, wire()));
    let scalars = repeat(wire().message(17, wire()));
    let packed = wire().bytes(16, [1_u8].repeat(20_000)).0;
    let closed = wire().bytes(6, [1_u8].repeat(20_000)).0;
    let map = |keys: std::ops::Range<u64>| -> Vec<u8> {
        keys.flat_map(|key| wire().message(4, wire().varint(1, key)).0).collect()
    };
    let cases: [(&str, Vec<u8>); 9] = [
        ("everything.v1.WellKnown", timestamps.clone()),
        ("everything.v1.WellKnown", disordered(&timestamps, 1)),
        ("everything.v1.Repeateds", scalars.clone()),
        ("everything.v1.Repeateds", disordered(&scalars, 1)),
        ("everything.v1.Repeateds", packed),
        ("everything.v1.Repeateds", repeat(wire().varint(16, 1))),
        ("legacy.v1.Legacy", closed),
        ("everything.v1.Maps", map(0..20_000)),
        ("everything.v1.Maps", [map(0..10_000), wire_of(1).0, map(10_000..20_000)].concat()),
    ];
    for (name, wire) in cases {
        let options = MarshalOptions::default().emit_unpopulated(true);
        let mut whole = Vec::new();
        message(name).to_json(&wire, &options, &mut whole).expect("it has a JSON form");
        let length = u64::try_from(whole.len()).expect("it fits");
        let mut out = b"before".to_vec();
        message(name)
            .to_json(&wire, &options.clone().max_size(length), &mut out)
            .expect("it is just allowed");
        assert_eq!(out.strip_prefix(b"before"), Some(&whole[..]), "{name}");
        for limit in [length - 1, 10_000, 0] {
            let mut out = b"before".to_vec();
            let error = message(name).to_json(&wire, &options.clone().max_size(limit), &mut out).unwrap_err();
            assert_eq!(error.kind(), &ToJsonErrorKind::TooLarge(limit), "{name}");
            assert_eq!(out, b"before");
            // One element more may be printed, and the buffer may have doubled for it.
            assert!(out.capacity() < 2 * (limit as usize + 4096), "{name}: {}", out.capacity());
        }
    }
}

/// A field that comes too late here.
fn wire_of(number: u32) -> Wire {
    wire().fixed64(number, 0)
}
