//! The benchmark's event, with its descriptors made by hand: compiling the proto would cost more than counting.

use grpcws::services::Services;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto, Timestamp,
};

/// As in `bench/proto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    #[prost(int64, tag = "1")]
    pub(crate) sequence: i64,
    #[prost(string, tag = "2")]
    pub(crate) game_id: String,
    #[prost(string, tag = "3")]
    pub(crate) player_id: String,
    #[prost(int32, tag = "4")]
    pub(crate) kind: i32,
    #[prost(double, tag = "5")]
    pub(crate) x: f64,
    #[prost(double, tag = "6")]
    pub(crate) y: f64,
    #[prost(message, optional, tag = "7")]
    pub(crate) at: Option<Timestamp>,
    #[prost(string, tag = "8")]
    pub(crate) text: String,
}

pub(crate) fn event() -> Vec<u8> {
    Event {
        sequence: 123_456,
        game_id: "game-7f3a21".to_owned(),
        player_id: "player-0042".to_owned(),
        kind: 1,
        x: 12.5,
        y: -3.25,
        at: Some(Timestamp { seconds: 1_790_000_000, nanos: 250_000_000 }),
        text: "rook takes e5".to_owned(),
    }
    .encode_to_vec()
}

pub(crate) const JSON: &str = r#"{"type":"data","data":{"sequence":"123456","gameId":"game-7f3a21","playerId":"player-0042","kind":"KIND_MOVE","x":12.5,"y":-3.25,"at":"2026-09-21T14:13:20.250Z","text":"rook takes e5"}}"#;

/// The services of the benchmark.
pub(crate) fn services() -> Services {
    let set = FileDescriptorSet { file: vec![timestamp(), file()] };
    Services::from_file_descriptor_set(&set.encode_to_vec()).expect("the descriptors are complete")
}

fn timestamp() -> FileDescriptorProto {
    FileDescriptorProto {
        name: Some("google/protobuf/timestamp.proto".to_owned()),
        package: Some("google.protobuf".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message("Timestamp", &[(1, "seconds", Type::Int64), (2, "nanos", Type::Int32)])],
        ..Default::default()
    }
}

fn message(name: &str, fields: &[(i32, &str, Type)]) -> DescriptorProto {
    let field = |&(number, name, kind): &(i32, &str, Type)| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        type_name: match kind {
            Type::Enum => Some(".bench.Kind".to_owned()),
            Type::Message => Some(".google.protobuf.Timestamp".to_owned()),
            _ => None,
        },
        ..Default::default()
    };
    let field = fields.iter().map(field).collect();
    DescriptorProto { name: Some(name.to_owned()), field, ..Default::default() }
}

fn file() -> FileDescriptorProto {
    let fields = [
        (1, "sequence", Type::Int64),
        (2, "game_id", Type::String),
        (3, "player_id", Type::String),
        (4, "kind", Type::Enum),
        (5, "x", Type::Double),
        (6, "y", Type::Double),
        (7, "at", Type::Message),
        (8, "text", Type::String),
    ];
    let value = |(number, name): (i32, &str)| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..Default::default()
    };
    let kind = EnumDescriptorProto {
        name: Some("Kind".to_owned()),
        value: [(0, "KIND_UNSPECIFIED"), (1, "KIND_MOVE")].map(value).to_vec(),
        ..Default::default()
    };
    let method = |name: &str, client_streaming| MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(".bench.Event".to_owned()),
        output_type: Some(".bench.Event".to_owned()),
        client_streaming: Some(client_streaming),
        server_streaming: Some(true),
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some("bench.proto".to_owned()),
        package: Some("bench".to_owned()),
        dependency: vec!["google/protobuf/timestamp.proto".to_owned()],
        syntax: Some("proto3".to_owned()),
        message_type: vec![message("Event", &fields)],
        enum_type: vec![kind],
        service: vec![ServiceDescriptorProto {
            name: Some("Bench".to_owned()),
            method: vec![method("Subscribe", false), method("Collect", true)],
            ..Default::default()
        }],
        ..Default::default()
    }
}
