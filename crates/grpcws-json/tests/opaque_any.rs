//! `Any`s of types that the table does not have.

use grpcws_json::{FromJsonErrorKind, MarshalOptions, Message, Table, ToJsonErrorKind, UnmarshalOptions};

fn message(name: &str) -> Message {
    let table = Table::from_file_descriptor_set(&[]).expect("the well-known types are always there");
    table.message(name).expect("a well-known type")
}

fn any() -> Message {
    message("google.protobuf.Any")
}

/// An `Any` on the wire.
fn wire(type_url: &str, value: &[u8]) -> Vec<u8> {
    let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
    [&[0x0a, length(type_url.as_bytes())], type_url.as_bytes(), &[0x12, length(value)], value].concat()
}

fn to_json(wire: &[u8]) -> String {
    let mut json = Vec::new();
    any().to_json(wire, &MarshalOptions::default().opaque_any(true), &mut json).expect("it has a form");
    String::from_utf8(json).expect("JSON is UTF-8")
}

fn from_json(json: &str, options: &UnmarshalOptions) -> Result<Vec<u8>, grpcws_json::FromJsonError> {
    let mut wire = Vec::new();
    any().from_json(json.as_bytes(), options, &mut wire).map(|()| wire)
}

fn opaque() -> UnmarshalOptions {
    UnmarshalOptions::default().opaque_any(true)
}

#[test]
fn an_unknown_any_is_printed_with_its_bytes_and_read_back() {
    let unknown = wire("a/b.C", b"\x08\x96\x01\xff");
    let json = to_json(&unknown);
    let expected =
        r#"{"@type":"a/b.C","@value":"CJYB/w==","@error":"the type is not among the descriptors"}"#;
    assert_eq!(json, expected);
    assert_eq!(from_json(&json, &opaque()).expect("its own form"), unknown);
}

#[test]
fn an_unknown_any_within_a_known_one_costs_only_itself() {
    let inner = wire("a/b.C", b"x");
    let outer = wire("a/google.protobuf.Any", &inner);
    let json = to_json(&outer);
    assert!(
        json.starts_with(r#"{"@type":"a/google.protobuf.Any","value":{"@type":"a/b.C","@value":"eA==","#),
        "{json}"
    );
    assert_eq!(from_json(&json, &opaque()).expect("its own form"), outer);
}

#[test]
fn the_members_may_stand_in_any_order_and_the_note_need_not_be_there() {
    let unknown = wire("a/b.C", b"x");
    for json in [
        r#"{"@value":"eA","@type":"a/b.C"}"#,
        r#"{"@error":{"a":[1]},"@value":"eA==","@type":"a/b.C"}"#,
        r#" { "@type" : "a/b.C" , "@value" : "eA==" } "#,
    ] {
        assert_eq!(from_json(json, &opaque()).expect(json), unknown, "{json}");
    }
}

#[test]
fn members_of_an_unknown_type_are_refused_with_what_to_do() {
    for json in [
        r#"{"@type":"a/b.C"}"#,
        r#"{"@type":"a/b.C","field":1}"#,
        r#"{"@type":"a/b.C","@value":"eA==","field":1}"#,
    ] {
        let error = from_json(json, &opaque()).expect_err(json);
        let text =
            r#"the type "a/b.C" of an Any is not among the descriptors: add the file that declares it"#;
        assert!(error.to_string().ends_with(text), "{error}");
    }
    for json in [
        r#"{"@type":"a/b.C","@value":1}"#,
        r#"{"@type":"a/b.C","@value":"!"}"#,
        r#"{"@type":"a/b.C","@value":"eA==","@value":"eA=="}"#,
        r#"{"@type":"a/b.C","@value":"eA==","@type":"a/b.C"}"#,
    ] {
        assert!(from_json(json, &opaque()).is_err(), "{json}");
    }
}

#[test]
fn the_default_is_the_rule_of_protojson() {
    let unknown = wire("a/b.C", b"x");
    let error = any().to_json(&unknown, &MarshalOptions::default(), &mut Vec::new()).expect_err("strict");
    assert!(matches!(error.kind(), ToJsonErrorKind::UnresolvableAny(url) if url == "a/b.C"));
    let json = r#"{"@type":"a/b.C","@value":"eA=="}"#;
    let error = from_json(json, &UnmarshalOptions::default()).expect_err("strict");
    assert!(matches!(error.kind(), FromJsonErrorKind::UnresolvableAny(url) if url == "a/b.C"));
}

#[test]
fn the_limit_of_the_json_holds_for_the_bytes() {
    let mut large = wire("a/b.C", b"");
    large.truncate(7);
    large.extend_from_slice(&[0x12, 0xe8, 0x07]);
    large.extend_from_slice(&[7; 1_000]);
    let options = MarshalOptions::default().opaque_any(true).max_size(1_300);
    let error = any().to_json(&large, &options, &mut Vec::new()).expect_err("too large");
    assert!(matches!(error.kind(), ToJsonErrorKind::TooLarge(1_300)));
}
