//! Fields whose names in JSON are those of others in the `.proto` file: a template names fields of the `.proto` file.

use std::path::PathBuf;
use std::sync::LazyLock;

use grpcws::json::{Message, UnmarshalOptions};
use grpcws::routes::{BoundRequest, ExtraRoute};
use grpcws::services::Services;
use prost::Message as _;

const PROTO: &str = r#"
syntax = "proto3";
package p;
import "google/api/annotations.proto";

message Seat {
  string room = 1 [json_name = "owner"];
  string owner = 2 [json_name = "room"];
}
message Request {
  string room = 1 [json_name = "owner"];
  string owner = 2 [json_name = "room"];
  Seat seat = 3 [json_name = "chair"];
  Seat chair = 4 [json_name = "seat"];
  string long_name = 5;
  string dotted = 6 [json_name = "a.b"];
}
service Rooms {
  rpc Watch(Request) returns (stream Request) {
    option (google.api.http) = { get: "/rooms/{room}" };
  }
  rpc Talk(stream Request) returns (stream Request) {
    option (google.api.http) = { post: "/talk/{room}/{seat.room}" body: "*" };
  }
  rpc Sit(stream Request) returns (Request) {
    option (google.api.http) = { post: "/sit/{room}" body: "seat" };
  }
  rpc Json(Request) returns (Request) {
    option (google.api.http) = { get: "/json/{longName}" };
  }
  rpc JsonBody(Request) returns (Request) {
    option (google.api.http) = { post: "/json-body" body: "longName" };
  }
}
"#;

#[derive(Clone, PartialEq, prost::Message)]
struct Seat {
    #[prost(string, tag = "1")]
    room: String,
    #[prost(string, tag = "2")]
    owner: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Request {
    #[prost(string, tag = "1")]
    room: String,
    #[prost(string, tag = "2")]
    owner: String,
    #[prost(message, tag = "3")]
    seat: Option<Seat>,
    #[prost(message, tag = "4")]
    chair: Option<Seat>,
    #[prost(string, tag = "5")]
    long_name: String,
    #[prost(string, tag = "6")]
    dotted: String,
}

/// The services of the file. It is compiled once: tests run at once, and one that writes the file cuts it short for
/// another that reads it.
static SERVICES: LazyLock<Services> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("crossing_names");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(folder.join("p.proto"), PROTO).expect("the file can be written");
    let google = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    let mut compiler = protox::Compiler::new([folder, google.into()]).expect("the folders are there");
    compiler.include_imports(true).open_file("p.proto").expect("it compiles");
    Services::from_file_descriptor_set(&compiler.encode_file_descriptor_set()).expect("it is complete")
});

fn bind(services: &Services, target: &str) -> (Message, BoundRequest) {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let route = services.routes().find(path).expect("a route");
    (route.payload().clone(), route.bind(query).expect("it can be bound"))
}

fn request(message: &[u8]) -> Request {
    Request::decode(message).expect("a request")
}

/// What the upstream gets of a JSON message of the client.
fn merged(payload: &Message, bound: &BoundRequest, json: &str) -> Request {
    let mut wire = Vec::new();
    payload.from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut wire).expect("it is a message");
    request(&bound.merge(wire.into()).expect("it is well-formed"))
}

#[test]
fn a_variable_sets_the_field_of_the_proto_file() {
    let services = &*SERVICES;
    let (_, bound) = bind(services, "/rooms/lobby");
    assert_eq!(request(&bound.message()), Request { room: "lobby".into(), ..Request::default() });
}

#[test]
fn whoever_has_checked_the_path_has_checked_every_message_of_the_stream() {
    let services = &*SERVICES;
    let (payload, bound) = bind(services, "/talk/lobby/r1");
    let seat = |room: &str, owner: &str| Some(Seat { room: room.into(), owner: owner.into() });
    for json in [
        r#"{"room":"x","owner":"y","seat":{"room":"x","owner":"y"},"chair":{"room":"x","owner":"y"}}"#,
        r#"{"owner":"y","room":"x","chair":{"owner":"y","room":"x"},"seat":{"owner":"y","room":"x"}}"#,
    ] {
        // In JSON "room" is the owner, and "chair" the seat.
        let expected = Request {
            room: "lobby".into(),
            owner: "x".into(),
            seat: seat("r1", "x"),
            chair: seat("y", "x"),
            ..Request::default()
        };
        for _ in 0..2 {
            assert_eq!(merged(&payload, &bound, json), expected, "{json}");
        }
    }
    // The client of a body that is one field sets nothing else.
    let (payload, bound) = bind(services, "/sit/lobby");
    let expected = Request { room: "lobby".into(), seat: seat("y", "x"), ..Request::default() };
    assert_eq!(merged(&payload, &bound, r#"{"room":"x","owner":"y"}"#), expected);
}

#[test]
fn a_query_has_names_of_the_proto_file_and_after_them_those_of_json() {
    let services = &*SERVICES;
    let of = |target: &str| request(&bind(services, target).1.message());
    assert_eq!(
        of("/rooms/lobby?owner=o"),
        Request { room: "lobby".into(), owner: "o".into(), ..Request::default() }
    );
    let seat = Some(Seat { room: "r".into(), owner: String::new() });
    assert_eq!(of("/rooms/a?seat.room=r"), Request { room: "a".into(), seat, ..Request::default() });
    for name in ["long_name", "longName"] {
        assert_eq!(of(&format!("/rooms/a?{name}=n")).long_name, "n");
    }
    assert_eq!(of("/rooms/a?a.b=d").dotted, "d");
    let route = services.routes().find("/rooms/lobby").expect("a route");
    let status = route.bind(Some("room=other")).expect_err("it is set by the path");
    assert_eq!(status.message(), "query parameter \"room\": it is already set by the path");
}

#[test]
fn names_of_json_are_not_bound_in_templates_and_bodies() {
    let services = &*SERVICES;
    let problems: Vec<String> = services
        .routes()
        .problems()
        .iter()
        .map(|error| grpcws::proto::ErrorChain(error).to_string())
        .collect();
    let [template, body] = problems.as_slice() else { panic!("{problems:?}") };
    let text = "\"longName\" is the name in JSON: write \"long_name\", as in the .proto file";
    assert!(template.contains(text), "{template}");
    assert!(body.contains("\"longName\""), "{body}");
    let extra = ExtraRoute::new("/x/{longName}", "p.Rooms/Watch");
    assert!(services.clone().with_routes(&[extra]).is_err());
}
