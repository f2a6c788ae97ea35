//! `grpcws routes` as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROTO: &str = r#"
syntax = "proto3";
package books.v1;
import "google/api/annotations.proto";

message Book {
  string name = 1;
  repeated string tags = 2;
}
service Library {
  rpc ListBooks(Book) returns (stream Book) {
    option (google.api.http) = {get: "/v1/books" response_body: "tags"};
  }
  rpc CreateBook(Book) returns (Book) {
    option (google.api.http) = {post: "/v1/books" body: "tags"};
  }
  rpc CopyBook(Book) returns (Book) {
    option (google.api.http) = {post: "/v1/books" body: "*"};
  }
  rpc Broken(Book) returns (Book) {
    option (google.api.http) = {get: "/v1/{nope}"};
  }
  rpc Chat(stream Book) returns (stream Book);
}
"#;

const CONFIG: &str = r#"
[[route]]
path = "/chat/{name}"
method = "books.v1.Library/Chat"
response-body = "tags"

[[route]]
path = "/later"
method = "other.v1.Other/Later"
"#;

/// A folder with the proto and the configuration file.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for (file, text) in [("books.proto", PROTO), ("grpcws.toml", CONFIG)] {
        std::fs::write(folder.join(file), text).expect("the file can be written");
    }
    folder
}

fn routes(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpcws"));
    command.current_dir(folder).args(["routes", "--proto", "books.proto"]).args(arguments);
    command.env_remove("RUST_LOG").output().expect("the binary is built")
}

fn answer(folder: &Path, arguments: &[&str]) -> String {
    let output = routes(folder, arguments);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn what_is_bound_and_what_is_not_and_why_is_shown() {
    let folder = folder("routes_text");
    let unbound = "  route POST /v1/books of books.v1.Library.CopyBook: the path is that of books.v1.Library.CreateBook\n";
    let broken =
        "  route GET /v1/{nope} of books.v1.Library.Broken: \"nope\": books.v1.Book has no field \"nope\"\n";
    assert_eq!(
        answer(&folder, &[]),
        format!(
            "GET   /v1/books  books.v1.Library/ListBooks   server streaming, response tags\n\
             POST  /v1/books  books.v1.Library/CreateBook  ?method=POST, body tags\n\
             \n2 not bound:\n{broken}{unbound}"
        )
    );
    let with_config = answer(&folder, &["--config", "grpcws.toml"]);
    let lines: Vec<&str> = with_config.lines().collect();
    assert_eq!(lines[0], "any   /chat/{name}  books.v1.Library/Chat        bidi, body *, response tags");
    assert_eq!(lines[4], "3 not bound:");
    assert_eq!(lines[5], "  route /later of other.v1.Other/Later: there is no such method");
}

#[test]
fn routes_are_json_for_programs() {
    let folder = folder("routes_json");
    let text = answer(&folder, &["--config", "grpcws.toml", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let expected = serde_json::json!([
        {"path": "/chat/{name}", "method": "books.v1.Library/Chat", "kind": "bidi", "body": "*", "responseBody": "tags",
         "default": true},
        {"verb": "GET", "path": "/v1/books", "method": "books.v1.Library/ListBooks", "kind": "server streaming",
         "responseBody": "tags", "default": true},
        {"verb": "POST", "path": "/v1/books", "method": "books.v1.Library/CreateBook", "kind": "unary", "body": "tags",
         "default": false},
    ]);
    assert_eq!(found["routes"], expected);
    let reasons: Vec<_> =
        found["unbound"].as_array().expect("a list").iter().map(|it| it["reason"].as_str()).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert_eq!(reasons[2], Some("the path is that of books.v1.Library.CreateBook"));
}

#[test]
fn a_configuration_file_that_cannot_be_used_is_wrong_usage() {
    let folder = folder("routes_config");
    std::fs::write(folder.join("bad.toml"), "[[route]]\npath = \"/{a\"\nmethod = \"a.B/C\"\n")
        .expect("it can be written");
    for (file, text) in [("bad.toml", "a variable without"), ("none.toml", "cannot read none.toml")] {
        let output = routes(&folder, &["--config", file]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
    }
}
