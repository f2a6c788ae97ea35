//! What a table says of its types, compared with `prost-reflect`.

mod common;

use common::{descriptor_set, message, pool, table};
use grpcws_json::{FieldKind, Table};
use prost::Message as _;
use prost_reflect::Kind;
use prost_types::{DescriptorProto, FieldDescriptorProto};

/// Whether both say the same of the type of a field.
fn same_kind(ours: &FieldKind, theirs: &Kind) -> bool {
    match (ours, theirs) {
        (FieldKind::Message(ours), Kind::Message(theirs)) => {
            // The entries of maps are types without a name of their own in a table.
            theirs.is_map_entry() || ours.full_name() == theirs.full_name()
        }
        (FieldKind::Enum(ours), Kind::Enum(theirs)) => {
            ours.full_name() == theirs.full_name()
                && theirs.values().all(|value| {
                    ours.number(value.name()) == Some(value.number()) && ours.accepts(value.number())
                })
                && ours.number("NO_SUCH_VALUE").is_none()
        }
        (ours, theirs) => format!("{ours:?}").eq_ignore_ascii_case(&format!("{theirs:?}")),
    }
}

#[test]
fn every_field_is_described_as_prost_reflect_describes_it() {
    compare(table());
}

/// protobufjs writes descriptors in which types have the names by which their files call them.
#[test]
fn types_may_have_names_relative_to_where_they_are_used() {
    let mut set = prost_types::FileDescriptorSet::decode(descriptor_set()).expect("a descriptor set");
    let mut count = 0;
    for file in &mut set.file {
        let package = format!(".{}.", file.package());
        for field in file.extension.iter_mut() {
            count += shorten(field, &package);
        }
        for message in &mut file.message_type {
            count += shorten_all(message, &package);
        }
    }
    assert!(count > 40, "only {count} names were shortened");
    compare(&Table::from_file_descriptor_set(&set.encode_to_vec()).expect("every type is found"));
}

fn shorten_all(message: &mut DescriptorProto, package: &str) -> usize {
    let nested = format!("{package}{}.", message.name());
    let mut count = 0;
    for field in message.field.iter_mut().chain(&mut message.extension) {
        // By the innermost scope that has the type.
        count += shorten(field, &nested) + shorten(field, package);
    }
    count + message.nested_type.iter_mut().map(|message| shorten_all(message, package)).sum::<usize>()
}

fn shorten(field: &mut FieldDescriptorProto, scope: &str) -> usize {
    let names = [&mut field.type_name, &mut field.extendee];
    let short = |name: &mut String| match name.strip_prefix(scope) {
        Some(short) => {
            *name = short.to_owned();
            1
        }
        None => 0,
    };
    names.into_iter().flatten().map(short).sum()
}

fn compare(table: &Table) {
    let mut count = 0;
    for theirs in pool().all_messages().filter(|message| !message.is_map_entry()) {
        let ours = table.message(theirs.full_name()).expect("the same types");
        let mut fields: Vec<_> = theirs.fields().collect();
        fields.sort_by_key(prost_reflect::FieldDescriptor::number);
        assert_eq!(ours.fields().count(), fields.len(), "{}", theirs.full_name());
        for (found, field) in ours.fields().zip(fields) {
            let name = field.full_name();
            assert_eq!((found.number(), found.name()), (field.number(), field.name()));
            assert_eq!(found.json_name(), field.json_name());
            assert_eq!(
                found.is_repeated(),
                field.cardinality() == prost_reflect::Cardinality::Repeated,
                "{name}"
            );
            assert_eq!(found.is_map(), field.is_map(), "{name}");
            assert_eq!(found.is_delimited(), field.is_group(), "{name}");
            assert!(same_kind(&found.kind(), &field.kind()), "{name}: {:?}", found.kind());
            let mut siblings: Vec<_> = field
                .containing_oneof()
                .into_iter()
                .flat_map(|oneof| oneof.fields().map(|field| field.number()).collect::<Vec<_>>())
                .filter(|&number| number != field.number())
                .collect();
            let mut found_siblings: Vec<_> = found.oneof_siblings().collect();
            found_siblings.sort_unstable();
            siblings.sort_unstable();
            assert_eq!(found_siblings, siblings, "{name}");
            for found in [ours.field(field.name()), ours.field_by_json_name(field.json_name())] {
                assert_eq!(found.map(|field| field.number()), Some(field.number()), "{name}");
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} fields were compared");
}

#[test]
fn extensions_and_strangers_are_not_fields() {
    let partial = message("legacy.v1.Partial");
    assert!(partial.field("[legacy.v1.top_level]").is_none());
    assert!(partial.field("top_level").is_none());
    assert!(partial.field("").is_none());
    assert_eq!(partial.fields().map(|field| field.number()).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_name_of_two_fields_is_that_of_the_proto_file_or_that_of_json() {
    use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
    let field = |number, name: &str, json_name: &str| FieldDescriptorProto {
        name: Some(name.to_owned()),
        json_name: Some(json_name.to_owned()),
        number: Some(number),
        r#type: Some(9),
        ..FieldDescriptorProto::default()
    };
    let crossing = DescriptorProto {
        name: Some("M".to_owned()),
        field: vec![field(1, "room", "owner"), field(2, "owner", "room"), field(3, "plain_one", "plainOne")],
        ..DescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("m.proto".to_owned()),
        message_type: vec![crossing],
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] };
    let table = Table::from_file_descriptor_set(&prost::Message::encode_to_vec(&set)).expect("a table");
    let message = table.message("M").expect("it is there");
    let numbers = |name| {
        [message.field(name), message.field_by_json_name(name)].map(|field| field.map(|field| field.number()))
    };
    assert_eq!(numbers("room"), [Some(1), Some(2)]);
    assert_eq!(numbers("owner"), [Some(2), Some(1)]);
    assert_eq!(numbers("plain_one"), [Some(3), None]);
    assert_eq!(numbers("plainOne"), [None, Some(3)]);
    assert_eq!(numbers("other"), [None, None]);
}

#[test]
fn a_closed_enum_accepts_only_its_own_numbers() {
    let field = message("legacy.v1.Partial").field("closed").expect("it is there");
    let FieldKind::Enum(closed) = field.kind() else { panic!("not an enum") };
    assert!(closed.accepts(1) && closed.accepts(2));
    assert!(!closed.accepts(0) && !closed.accepts(3));
}
