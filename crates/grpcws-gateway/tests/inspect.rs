//! `grpcws list` and `grpcws describe` as processes.

mod common;
mod scripted;

use std::process::Output;

use common::serve::serve;
use scripted::{Scripted, files, not_found, services, shop, shop_server, shop_set};
use tokio::net::TcpListener;
use tokio::process::Command;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

async fn grpcws(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpcws"));
    command.args(arguments).env_remove("RUST_LOG").kill_on_drop(true);
    command.output().await.expect("the binary is built")
}

/// What is on stdout where all is well, and nothing is to be said besides.
async fn answer(arguments: &[&str]) -> String {
    let output = grpcws(arguments).await;
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The exit code and what is on stderr.
async fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = grpcws(arguments).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{arguments:?}");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

async fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&answer(arguments).await).expect("JSON")
}

#[tokio::test]
async fn services_and_methods_are_listed() {
    let test = serve(grpcws_test::routes(grpcws_test::TestService::default())).await;
    assert_eq!(
        answer(&["list", "--upstream", &test]).await,
        "grpc.reflection.v1.ServerReflection\ngrpcws.test.v1.TestService\n"
    );
    let shop = serve(shop_server(&[]).routes()).await;
    assert_eq!(answer(&["list", "--upstream", &shop]).await, "shop.v1.Shop\n");
    assert_eq!(
        answer(&["list", "--upstream", &shop, "shop.v1.Shop"]).await,
        "shop.v1.Shop/GetItem     unary\n\
         shop.v1.Shop/WatchItems  server streaming\n\
         shop.v1.Shop/Buy         client streaming\n\
         shop.v1.Shop/Haggle      bidi streaming\n"
    );
}

#[tokio::test]
async fn lists_are_json_for_programs() {
    let shop = serve(shop_server(&[]).routes()).await;
    let all = json(&["list", "--upstream", &shop, "--format", "json"]).await;
    let one = json(&["list", "--upstream", &shop, "--format", "json", "shop.v1.Shop"]).await;
    assert_eq!(all, serde_json::json!([one]));
    assert_eq!(one["service"], "shop.v1.Shop");
    assert_eq!(
        one["methods"][0],
        serde_json::json!({
            "name": "GetItem",
            "path": "/shop.v1.Shop/GetItem",
            "request": "shop.v1.GetItemRequest",
            "response": "shop.v1.Item",
            "clientStreaming": false,
            "serverStreaming": false,
            "deprecated": false,
            "http": [{"verb": "GET", "path": "/v1/items/{id}"}],
        })
    );
    assert_eq!(one["methods"][2]["clientStreaming"], true);
    assert_eq!(one["methods"][2]["deprecated"], true);
}

const SERVICE: &str = "\
// shop.v1.Shop in shop.proto
service Shop {
  rpc GetItem(shop.v1.GetItemRequest) returns (shop.v1.Item) {
    option (google.api.http) = {
      get: \"/v1/items/{id}\"
    };
  }
  rpc WatchItems(shop.v1.WatchItemsRequest) returns (stream shop.v1.Item);
  rpc Buy(stream shop.v1.Item) returns (shop.v1.Receipt) {
    option deprecated = true;
  }
  rpc Haggle(stream shop.v1.Item) returns (stream shop.v1.Item);
}
";

const METHOD: &str = "\
// shop.v1.Shop/WatchItems in shop.proto
service Shop {
  rpc WatchItems(shop.v1.WatchItemsRequest) returns (stream shop.v1.Item);
}

// shop.v1.WatchItemsRequest in shop.proto
message WatchItemsRequest {
  google.protobuf.Timestamp since = 1;
  repeated shop.v1.Kind kinds = 2;
  oneof limit {
    int32 max_items = 3;
    int64 max_bytes = 4;
  }
  optional bool replay = 5;
  map<string, shop.v1.Item> by_name = 6;
  string note = 7 [deprecated = true];
  string lang = 8 [json_name = \"hl\"];
  reserved 9, 20 to 29;
  reserved \"old\";
}

// shop.v1.Item in item.proto
message Item {
  string id = 1;
  shop.v1.Kind kind = 2;
}
";

const MESSAGE: &str = "\
// shop.v1.Receipt in shop.proto
message Receipt {
  message Line {
    shop.v1.Item item = 1;
    uint32 count = 2;
  }
  repeated shop.v1.Receipt.Line lines = 1;
}
";

const ENUM: &str = "\
// shop.v1.Kind in item.proto
enum Kind {
  option allow_alias = true;
  KIND_UNSPECIFIED = 0;
  KIND_BOOK = 1;
  KIND_VOLUME = 1;
  KIND_GAME = 2 [deprecated = true];
  reserved 5 to 7, 9;
}
";

#[tokio::test]
async fn symbols_are_shown_as_the_source_of_a_proto() {
    let shop = serve(shop_server(&[]).routes()).await;
    for (symbol, expected) in [
        ("shop.v1.Shop", SERVICE),
        (".shop.v1.Shop", SERVICE),
        ("shop.v1.Shop/WatchItems", METHOD),
        ("shop.v1.Shop.WatchItems", METHOD),
        ("/shop.v1.Shop/WatchItems", METHOD),
        ("shop.v1.Receipt", MESSAGE),
        ("shop.v1.Kind", ENUM),
    ] {
        assert_eq!(answer(&["describe", "--upstream", &shop, symbol]).await, expected, "{symbol}");
    }
}

/// The file that a source makes, without its name and its places.
fn compiled(name: &str, source: &str) -> prost_types::FileDescriptorProto {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("shown");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    std::fs::write(folder.join(name), source).expect("the file can be written");
    let set = protox::compile([name], [&folder]).expect("it compiles");
    let file = set.file.into_iter().next().expect("one file");
    prost_types::FileDescriptorProto { name: None, source_code_info: None, ..file }
}

#[tokio::test]
async fn what_is_shown_compiles_to_what_it_was_made_from() {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    for (file, name, head) in [
        ("legacy.proto", "legacy.v1.Old", "syntax = \"proto2\"; package legacy.v1;\n"),
        ("kinds.proto", "kinds.v1.Kinds", "syntax = \"proto3\"; package kinds.v1;\n"),
    ] {
        let shown = answer(&["describe", "--proto", file, "-I", protos, name]).await;
        let original = std::fs::read_to_string(format!("{protos}/{file}")).expect("it is there");
        assert_eq!(
            compiled(file, &format!("{head}{shown}")),
            compiled(&format!("original-{file}"), &original)
        );
    }
}

#[tokio::test]
async fn files_need_no_server() {
    let set = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("inspect-shop.binpb");
    std::fs::write(&set, shop_set()).expect("the file can be written");
    let set = set.to_str().expect("UTF-8");
    assert_eq!(answer(&["describe", "--descriptor-set", set, "shop.v1.Kind"]).await, ENUM);
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    assert_eq!(answer(&["list", "--proto", "shop.proto", "-I", protos]).await, "shop.v1.Shop\n");
    let legacy = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto/legacy.proto");
    assert_eq!(
        answer(&["describe", "--proto", legacy, "legacy.v1.Old"]).await,
        "\
// legacy.v1.Old in legacy.proto
message Old {
  required string id = 1;
  optional int32 count = 2 [default = 7];
  optional string text = 3 [default = \"a\\\"b\"];
  repeated int32 packed = 4 [packed = true];
  optional group Item = 5 {
    optional int32 value = 1;
  }
  extensions 100 to 199, 1000 to max;
}
"
    );
    let value = json(&["describe", "--proto", legacy, "legacy.v1.Old", "--format", "json"]).await;
    assert_eq!((&value["kind"], &value["name"]), (&"message".into(), &"legacy.v1.Old".into()));
    assert_eq!(value["descriptor"]["field"][1]["jsonName"], "count");
}

#[tokio::test]
async fn a_type_outside_of_the_services_is_asked_for() {
    let shop = shop();
    let server = Scripted::new(move |asked| match asked {
        MessageRequest::ListServices(_) => services(&[]),
        MessageRequest::FileContainingSymbol(name) if name == "shop.v1.Kind" => {
            files(shop.get("item.proto").cloned().into_iter().collect())
        }
        MessageRequest::FileContainingSymbol(name) => not_found(&name),
        other => panic!("not asked for: {other:?}"),
    });
    let server = serve(server.routes()).await;
    assert_eq!(answer(&["describe", "--upstream", &server, "shop.v1.Kind"]).await, ENUM);
    let known = answer(&["describe", "--upstream", &server, "google.rpc.RetryInfo"]).await;
    assert!(known.contains("google.protobuf.Duration retry_delay = 1;"), "{known}");
}

#[tokio::test]
async fn what_is_not_there_is_told_with_similar_names() {
    let shop = serve(shop_server(&[]).routes()).await;
    for (arguments, expected) in [
        (
            &["list", "--upstream", &shop, "shop.v1.Shp"][..],
            "grpcws: there is no service \"shop.v1.Shp\"; did you mean shop.v1.Shop?\n",
        ),
        (
            &["describe", "--upstream", &shop, "WatchItems"],
            "grpcws: there is no service, method, message or enum \"WatchItems\"; did you mean \
             shop.v1.Shop/WatchItems?\n",
        ),
        (
            &["describe", "--upstream", &shop, "other"],
            "grpcws: there is no service, method, message or enum \"other\"\n",
        ),
    ] {
        assert_eq!(failure(arguments).await, (Some(5), expected.to_owned()));
    }
}

#[tokio::test]
async fn a_file_that_is_not_complete_is_told_of_beside_the_answer() {
    let shop = serve(shop_server(&["item.proto"]).routes()).await;
    let output = grpcws(&["list", "--upstream", &shop]).await;
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "grpcws: shop.proto is left out with shop.v1.Shop: it uses shop.v1.Kind, which is in none of the files\n"
    );
}

#[tokio::test]
async fn failures_have_the_code_of_their_status_and_wrong_usage_has_64() {
    // Nobody listens at a port that was given back.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("it is bound");
    let gone = format!("http://{free}");
    let (code, text) = failure(&["list", "--upstream", &gone]).await;
    assert_eq!(code, Some(14), "{text}");
    assert!(text.starts_with(&format!("grpcws: server reflection at {gone} failed: ")), "{text}");

    let silent = serve(Routes::default()).await;
    let (code, text) = failure(&["describe", "--upstream", &silent, "a.A"]).await;
    assert_eq!(
        (code, text),
        (
            Some(12),
            format!(
                "grpcws: {silent} has no server reflection: give its descriptors with --descriptor-set or --proto\n"
            )
        )
    );
    for arguments in [
        &["list"][..],
        &["describe", "--upstream", "http://127.0.0.1:1"],
        &["list", "--upstream", "ftp://127.0.0.1:1"],
        &["list", "--upstream", "http://127.0.0.1:1", "--upstream-ca", "no/such/file"],
        &["list", "--descriptor-set", "no/such/file"],
        &["list", "--proto", "no/such/file"],
        &["list", "--upstream", "http://127.0.0.1:1", "--format", "yaml"],
        &["list", "http://127.0.0.1:1"],
    ] {
        let (code, text) = failure(arguments).await;
        assert_eq!(code, Some(64), "{arguments:?}: {text}");
        assert!(!text.is_empty());
    }
}

const COMMENTED: &str = "\
// notes.v1.Notes in notes.proto
// Keeps notes.
//
//   They are short.
service Notes {
  // Adds one.
  rpc Add(notes.v1.Note) returns (notes.v1.Note);
  rpc Plain(notes.v1.Note) returns (notes.v1.Note);
}
// notes.v1.Note in notes.proto
// A note.
message Note {
  // What it is about.
  message Topic {
    string name = 1;
  }
  // How loud.
  enum Volume {
    // The default.
    QUIET = 0;
  }
  // The text of it.
  string text = 1;
  // Who wrote it.
  oneof author {
    // A name.
    string name = 2;
    int64 number = 3;
  }
}
";

#[tokio::test]
async fn comments_of_sources_and_of_sets_are_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "syntax = \"proto3\"; package notes.v1;\n\
        // Keeps notes.\n//\n//   They are short.\nservice Notes {\n  // Adds one.\n  rpc Add(Note) returns (Note);\n  \
        rpc Plain(Note) returns (Note);\n}\n// A note.\nmessage Note {\n  string text = 1; // The text of it.\n\n  \
        // Who wrote it.\n  oneof author {\n    // A name.\n    string name = 2;\n    int64 number = 3;\n  }\n  \
        // What it is about.\n  message Topic { string name = 1; }\n  /* How loud. */\n  enum Volume {\n    \
        // The default.\n    QUIET = 0;\n  }\n}\n";
    let proto = folder.path().join("notes.proto");
    std::fs::write(&proto, source).expect("it can be written");
    let mut compiler = protox::Compiler::new([folder.path()]).expect("a folder");
    compiler.include_source_info(true).open_file("notes.proto").expect("it compiles");
    let set = folder.path().join("notes.binpb");
    std::fs::write(&set, compiler.encode_file_descriptor_set()).expect("it can be written");
    for (flag, file) in [("--proto", proto), ("--descriptor-set", set)] {
        let file = file.to_str().expect("UTF-8");
        let shown = async |symbol: &str| answer(&["describe", flag, file, symbol]).await;
        assert_eq!(shown("notes.v1.Notes").await + &shown("notes.v1.Note").await, COMMENTED, "{flag}");
    }
}

#[tokio::test]
async fn folders_and_patterns_stand_for_the_protos_in_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    std::fs::create_dir_all(root.join("api/v1")).expect("it can be made");
    for (name, import) in [("a", "api/v1/b.proto"), ("b", "google/protobuf/empty.proto")] {
        let text = format!(
            "\u{feff}syntax = \"proto3\"; package api.v1; import \"{import}\"; message {name}M {{}} service {name}S \
             {{ rpc C({name}M) returns (bM); }}"
        );
        std::fs::write(root.join(format!("api/v1/{name}.proto")), text).expect("it can be written");
    }
    let root = root.to_str().expect("UTF-8");
    for arguments in [
        &["--proto", root][..],
        &["--proto", &format!("{root}/**/*.proto")],
        &["--proto", "api", "-I", root],
        &["--proto", "api/v1/?.proto", "-I", root],
    ] {
        let listed = answer(&[&["list"], arguments].concat()).await;
        assert_eq!(listed, "api.v1.aS\napi.v1.bS\n", "{arguments:?}");
    }
    let (code, text) = failure(&["list", "--proto", "no.proto", "-I", root]).await;
    let expected = format!("grpcws: cannot read no.proto: there is no such file, here or in {root}\n");
    assert_eq!((code, text), (Some(64), expected));
}

#[tokio::test]
async fn a_file_that_is_no_set_is_told_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let path = path.to_str().expect("UTF-8");
    let head = format!("grpcws: {path} is not a file descriptor set");
    for (content, hint) in [
        (&b""[..], ": it is empty"),
        (b"// A file.\nsyntax = \"proto3\";", ": it is the source of a .proto file, which --proto takes"),
        (b"{\"file\":[]}", ": it is JSON, and not the binary form of a set"),
        (b"\x1f\x8b\x08\0\0\0\0\0", ": it is compressed, with gzip"),
    ] {
        std::fs::write(path, content).expect("it can be written");
        assert_eq!(failure(&["list", "--descriptor-set", path]).await, (Some(64), format!("{head}{hint}\n")));
    }
    // Cut off.
    let set = shop_set();
    std::fs::write(path, set.get(..set.len() - 7).expect("it is longer")).expect("it can be written");
    let (code, text) = failure(&["list", "--descriptor-set", path]).await;
    assert!(code == Some(64) && text.starts_with(&format!("{head}: failed to decode")), "{text}");
}

#[tokio::test]
async fn a_set_without_its_imports_is_told_how_to_make_one_with_them() {
    use prost::Message as _;
    let mut set = prost_types::FileDescriptorSet::decode(&*shop_set()).expect("a set");
    set.file.retain(|file| file.name() == "shop.proto");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.binpb");
    std::fs::write(&path, set.encode_to_vec()).expect("it can be written");
    let (code, text) = failure(&["list", "--descriptor-set", path.to_str().expect("UTF-8")]).await;
    assert_eq!(code, Some(64));
    assert_eq!(
        text,
        "grpcws: shop.proto is left out with shop.v1.Shop: it uses shop.v1.Kind, which is in none of the files; its \
         import item.proto is not there either: make the set with protoc --include_imports, or buf build\n\
         grpcws: no service of the files is complete\n"
    );
}
