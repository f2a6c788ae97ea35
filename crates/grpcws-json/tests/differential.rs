//! Random messages, compared with prost-reflect's dynamic messages in both directions.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "test data"
)]

mod common;

use std::sync::LazyLock;

use common::{message, pool};
use grpcws_json::{MarshalOptions, UnmarshalOptions};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::ReflectMessage as _;
use prost_reflect::{
    Cardinality, DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MapKey,
    MessageDescriptor, SerializeOptions, Value,
};
use serde_json::Value as Json;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(pool);

const NAMES: [&str; 9] = [
    "game.v1.SubscribeRequest",
    "everything.v1.Scalars",
    "everything.v1.Optionals",
    "everything.v1.Repeateds",
    "everything.v1.Maps",
    "everything.v1.Oneofs",
    "everything.v1.Tree",
    "everything.v1.WellKnown",
    "legacy.v1.Legacy",
];

/// A source of choices: random bytes, and zeros when they are used up, which end every recursion.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// Small, large and extreme numbers, each often.
    fn bits(&mut self) -> u64 {
        match self.byte() % 6 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::MAX - u64::from(self.byte()),
            3 => 1 << (self.byte() % 64),
            4 => (1 << (self.byte() % 64)) - 1,
            _ => u64::from_le_bytes([(); 8].map(|()| self.byte())),
        }
    }

    fn text(&mut self) -> String {
        const CHARACTERS: [char; 16] = [
            'a', 'Z', '"', '\\', '/', '\n', '\u{1}', '\u{7f}', 'é', '漢', '𝄞', ' ', '<', '\u{2028}', '0', '_',
        ];
        let length = match self.byte() % 8 {
            7 => 40,
            short => short,
        };
        (0..length).map(|_| CHARACTERS[usize::from(self.byte()) % CHARACTERS.len()]).collect()
    }
}

fn scalar(kind: &Kind, choices: &mut Choices<'_>, depth: u32) -> Value {
    let bits = choices.bits();
    match kind {
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits & 1 != 0),
        Kind::String => Value::String(choices.text()),
        Kind::Bytes => Value::Bytes(choices.text().into_bytes().into()),
        Kind::Enum(descriptor) => {
            let values: Vec<i32> = descriptor.values().map(|value| value.number()).collect();
            let open = descriptor.parent_file().syntax() == prost_reflect::Syntax::Proto3
                && descriptor.full_name() != "google.protobuf.NullValue";
            if open && bits % 5 == 4 {
                Value::EnumNumber(bits as i32)
            } else {
                Value::EnumNumber(values[bits as usize % values.len()])
            }
        }
        Kind::Message(descriptor) => Value::Message(random_message(descriptor, choices, depth)),
    }
}

fn map_key(kind: &Kind, choices: &mut Choices<'_>) -> MapKey {
    match scalar(kind, choices, 0) {
        Value::Bool(value) => MapKey::Bool(value),
        Value::I32(value) => MapKey::I32(value),
        Value::I64(value) => MapKey::I64(value),
        Value::U32(value) => MapKey::U32(value),
        Value::U64(value) => MapKey::U64(value),
        Value::String(value) => MapKey::String(value),
        other => panic!("{other:?} is no key"),
    }
}

fn field_value(field: &FieldDescriptor, choices: &mut Choices<'_>, depth: u32) -> Value {
    if field.is_map() {
        let entry = field.kind().as_message().expect("a map has an entry type").clone();
        let (key, value) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
        let count = choices.byte() % 4;
        return Value::Map(
            (0..count).map(|_| (map_key(&key, choices), scalar(&value, choices, depth))).collect(),
        );
    }
    if field.is_list() {
        let count = choices.byte() % 4;
        return Value::List((0..count).map(|_| scalar(&field.kind(), choices, depth)).collect());
    }
    scalar(&field.kind(), choices, depth)
}

/// Well-known types get values that have a JSON form.
fn random_message(descriptor: &MessageDescriptor, choices: &mut Choices<'_>, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let set = |message: &mut DynamicMessage, name: &str, value| message.set_field_by_name(name, value);
    match descriptor.full_name() {
        "google.protobuf.Any" => {
            // prost-reflect has no JSON form for an empty one.
            let names =
                ["game.v1.Point", "google.protobuf.Duration", "everything.v1.Scalars", "google.protobuf.Any"];
            let choice = usize::from(choices.byte() % 4).min(if depth > 0 { 3 } else { 2 });
            let inner = POOL.get_message_by_name(names[choice]).expect("in the pool");
            let inner = random_message(&inner, choices, depth.saturating_sub(1));
            set(&mut message, "type_url", Value::String(format!("type.googleapis.com/{}", names[choice])));
            set(&mut message, "value", Value::Bytes(inner.encode_to_vec().into()));
            return message;
        }
        "google.protobuf.Timestamp" => {
            let seconds = (choices.bits() % 315_537_897_600) as i64 - 62_135_596_800;
            set(&mut message, "seconds", Value::I64(seconds));
            set(&mut message, "nanos", Value::I32(nanos(choices)));
            return message;
        }
        "google.protobuf.Duration" => {
            let sign = if choices.byte().is_multiple_of(2) { 1 } else { -1 };
            let seconds = (choices.bits() % 315_576_000_001) as i64;
            set(&mut message, "seconds", Value::I64(seconds * sign));
            set(&mut message, "nanos", Value::I32(nanos(choices) * sign as i32));
            return message;
        }
        "google.protobuf.FieldMask" => {
            let paths = ["a", "foo_bar", "foo_bar.baz_qux", "x1.y2"];
            let count = usize::from(choices.byte() % 5);
            let paths = paths[..count.min(4)].iter().map(|&path| Value::String(path.to_owned())).collect();
            set(&mut message, "paths", Value::List(paths));
            return message;
        }
        // prost-reflect prints a NaN in a wrapper as `null`.
        "google.protobuf.DoubleValue" => {
            set(&mut message, "value", Value::F64(f64::from(choices.bits() as i32) / 8.0));
            return message;
        }
        "google.protobuf.FloatValue" => {
            set(&mut message, "value", Value::F32(choices.bits() as u16 as f32 / 8.0));
            return message;
        }
        "google.protobuf.Value" => {
            let value = |message: &mut DynamicMessage, choices: &mut Choices<'_>| match choices.byte() % 6 {
                0 => set(message, "null_value", Value::EnumNumber(0)),
                1 => set(message, "number_value", Value::F64(f64::from(choices.bits() as i32) / 8.0)),
                2 => set(message, "string_value", Value::String(choices.text())),
                3 => set(message, "bool_value", Value::Bool(choices.byte().is_multiple_of(2))),
                which if depth > 0 => {
                    let name = if which == 4 { "struct_value" } else { "list_value" };
                    let field = message.descriptor().get_field_by_name(name).expect("in the descriptor");
                    let inner = field_value(&field, choices, depth - 1);
                    set(message, name, inner);
                }
                _ => set(message, "string_value", Value::String(String::new())),
            };
            value(&mut message, choices);
            return message;
        }
        _ => {}
    }
    let mut oneofs = std::collections::HashSet::new();
    for field in descriptor.fields() {
        let required = field.cardinality() == Cardinality::Required;
        if !required && (choices.byte().is_multiple_of(2) || depth == 0) {
            continue;
        }
        if let Some(oneof) = field.containing_oneof()
            && !oneofs.insert(oneof.name().to_owned())
        {
            continue;
        }
        let value = field_value(&field, choices, depth.saturating_sub(1));
        message.set_field(&field, value);
    }
    message
}

fn nanos(choices: &mut Choices<'_>) -> i32 {
    [0, 1, 1000, 1_000_000, 999_999_999, 500_000_000, 123_456_789, 10][usize::from(choices.byte() % 8)]
}

/// Numbers are compared by their value, so that `1.0` is `1`; integers beyond 2^53 are strings in protojson.
fn normalized(json: Json) -> Json {
    match json {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(elements) => elements.into_iter().map(normalized).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, normalized(value))).collect(),
        other => other,
    }
}

fn theirs(message: &DynamicMessage, options: &SerializeOptions) -> Result<Json, serde_json::Error> {
    let mut out = Vec::new();
    message.serialize_with_options(&mut serde_json::Serializer::new(&mut out), options)?;
    Ok(normalized(serde_json::from_slice(&out)?))
}

/// Both ways, with each set of options.
fn check(name: &str, seed: &[u8]) {
    let descriptor = POOL.get_message_by_name(name).expect("in the pool");
    let dynamic = random_message(&descriptor, &mut Choices(seed), 4);
    let wire = dynamic.encode_to_vec();
    let ours = message(name);
    for (marshal, serialize) in [
        (MarshalOptions::default(), SerializeOptions::new()),
        (MarshalOptions::default().use_proto_names(true), SerializeOptions::new().use_proto_field_name(true)),
        (MarshalOptions::default().use_enum_numbers(true), SerializeOptions::new().use_enum_numbers(true)),
    ] {
        let mut json = Vec::new();
        let printed = ours.to_json(&wire, &marshal, &mut json);
        let expected = theirs(&dynamic, &serialize).expect("every value here has a JSON form");
        printed.unwrap_or_else(|error| panic!("{error} in {name} {dynamic:?}"));
        let found = normalized(serde_json::from_slice(&json).expect("it wrote JSON"));
        assert_eq!(found, expected, "{name}");

        let mut back = Vec::new();
        ours.from_json(&json, &UnmarshalOptions::default(), &mut back)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&json)));
        let decoded = DynamicMessage::decode(descriptor.clone(), &*back).expect("it wrote a message");
        let mut deserializer = serde_json::Deserializer::from_slice(&json);
        let parsed = DynamicMessage::deserialize_with_options(
            descriptor.clone(),
            &mut deserializer,
            &DeserializeOptions::new(),
        )
        .expect("it reads what is valid");
        // Compared as text: a NaN is not equal to itself.
        assert_eq!(
            format!("{:?}", theirs(&decoded, &serialize)),
            format!("{:?}", theirs(&parsed, &serialize))
        );
        let mut again = Vec::new();
        ours.to_json(&back, &marshal, &mut again).expect("it wrote a message");
        assert_eq!(normalized(serde_json::from_slice(&again).expect("JSON")), expected, "{name}");
    }
}

/// One message behind the other means both merged: no field is in order then.
fn check_merged(name: &str, first: &[u8], second: &[u8]) {
    let descriptor = POOL.get_message_by_name(name).expect("in the pool");
    let mut wire = random_message(&descriptor, &mut Choices(first), 4).encode_to_vec();
    wire.extend(random_message(&descriptor, &mut Choices(second), 4).encode_to_vec());
    let merged = DynamicMessage::decode(descriptor, &*wire).expect("both are messages");
    let mut json = Vec::new();
    let printed = message(name).to_json(&wire, &MarshalOptions::default(), &mut json);
    match (printed, theirs(&merged, &SerializeOptions::new())) {
        (Ok(()), Ok(expected)) => {
            let found = normalized(serde_json::from_slice(&json).expect("it wrote JSON"));
            assert_eq!(found, expected, "{name}");
        }
        // Seconds of the one and nanoseconds of the other may differ in sign, and a value may not be of its type.
        (ours, theirs) => assert_eq!(name, "everything.v1.WellKnown", "{ours:?} {theirs:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_as_prost_reflect(seed in proptest::collection::vec(any::<u8>(), 0..400)) {
        for name in NAMES {
            check(name, &seed);
        }
    }

    #[test]
    fn merged_as_prost_reflect_merges(
        first in proptest::collection::vec(any::<u8>(), 0..300),
        second in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        for name in NAMES {
            check_merged(name, &first, &second);
        }
    }
}
