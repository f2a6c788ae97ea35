//! Descriptors from descriptor sets and `.proto` files.

mod scripted;

use std::fs;
use std::path::PathBuf;

use grpcws_gateway::descriptors::{DescriptorError, DescriptorOptions, Loaded, Loader};
use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use scripted::shop_set;
use tonic::service::Routes;

async fn load(options: DescriptorOptions) -> Result<Loaded, DescriptorError> {
    Loader::<Routes>::new(options).load().await
}

/// A file of the test's own.
fn written(name: &str, content: &[u8]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("descriptor_files");
    fs::create_dir_all(&folder).expect("the folder can be made");
    let path = folder.join(name);
    fs::write(&path, content).expect("the file can be written");
    path
}

fn protos() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto"))
}

#[tokio::test]
async fn sets_and_protos_are_read_with_their_annotations() {
    let set = written("shop.binpb", &shop_set());
    let proto = protos().join("shop.proto");
    for options in [
        DescriptorOptions::default().descriptor_set(&set),
        DescriptorOptions::default().proto(&proto),
        DescriptorOptions::default().proto("shop.proto").include(protos()),
        // The same files twice are the same files.
        DescriptorOptions::default().descriptor_set(&set).descriptor_set(&set).proto(&proto),
    ] {
        assert!(!options.uses_reflection());
        let loaded = load(options).await.expect("they are good");
        assert!(loaded.services.method("shop.v1.Shop", "WatchItems").is_some());
        assert!(loaded.services.routes().find("/v1/items/7").is_some());
        assert!(loaded.services.message("google.rpc.BadRequest").is_some());
        assert_eq!(loaded.omitted, []);
    }
}

#[tokio::test]
async fn googles_protos_are_imported_without_copies_of_them() {
    let proto = written(
        "annotated.proto",
        br#"syntax = "proto3";
        package annotated;
        import "google/api/annotations.proto";
        import "google/protobuf/empty.proto";
        import "google/rpc/error_details.proto";
        import "google/rpc/status.proto";
        service S {
          rpc Watch(W) returns (stream google.rpc.Status) {
            option (google.api.http) = {
              get: "/v1/{name}"
              additional_bindings { custom { kind: "WEBSOCKET" path: "/v2/{name}" } }
            };
          }
        }
        message W { string name = 1; google.rpc.BadRequest bad = 2; google.protobuf.Empty empty = 3; }
        "#,
    );
    let loaded = load(DescriptorOptions::default().proto(proto)).await.expect("it compiles");
    assert_eq!(loaded.omitted, []);
    for path in ["/v1/a", "/v2/a"] {
        assert!(loaded.services.routes().find(path).is_some(), "{path}");
    }
}

#[tokio::test]
async fn sets_are_merged_and_an_import_may_be_in_another_one() {
    let all = FileDescriptorSet::decode(&*shop_set()).expect("a set");
    let (shop, rest) = all.file.into_iter().partition(|file| file.name() == "shop.proto");
    let shop = written("only-shop.binpb", &FileDescriptorSet { file: shop }.encode_to_vec());
    let rest = written("rest.binpb", &FileDescriptorSet { file: rest }.encode_to_vec());
    let alone = load(DescriptorOptions::default().descriptor_set(&shop)).await.expect("it can be read");
    assert_eq!(alone.services.iter().count(), 0);
    assert_eq!(alone.omitted.len(), 1);
    let both = load(DescriptorOptions::default().descriptor_set(&shop).descriptor_set(&rest)).await;
    assert_eq!(both.expect("it is complete").services.iter().count(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let set = |path: &PathBuf| DescriptorOptions::default().descriptor_set(path);
    let proto = |path: &PathBuf| DescriptorOptions::default().proto(path);
    let missing = PathBuf::from("no/such/file");
    let garbage = written("garbage.binpb", b"garbage");
    let edition = written("edition.proto", b"// New.\nedition = \"2023\";\npackage p;\nmessage M {}\n");
    let importer = written("importer.proto", b"syntax = \"proto3\";\nimport \"edition.proto\";\n");
    let unfinished = written("unfinished.proto", b"syntax = \"proto3\";\nmessage M {\n  string a = ;\n}\n");
    let lost = written("lost.proto", b"syntax = \"proto3\";\nimport \"no/such.proto\";\n");
    for (options, expected) in [
        (set(&missing), "cannot read no/such/file".to_owned()),
        (proto(&missing), "cannot read no/such/file".to_owned()),
        (set(&garbage), format!("{} is not a file descriptor set", garbage.display())),
        (
            proto(&edition),
            format!(
                "{} is of an edition: compile it with protoc or buf, and give the descriptor set",
                edition.display()
            ),
        ),
        (
            proto(&importer),
            format!(
                "{} is of an edition: compile it with protoc or buf, and give the descriptor set",
                edition.display()
            ),
        ),
    ] {
        let error = load(options).await.expect_err(&expected);
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.upstream_code(), None, "no upstream is to blame");
    }
    for (file, expected) in [(&unfinished, "3:14"), (&lost, "no/such.proto")] {
        let error = load(proto(file)).await.expect_err(expected).to_string();
        assert!(error.starts_with(&format!("cannot compile {}: ", file.display())), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn editions_of_a_descriptor_set_are_read() {
    // `edition = "2023"` and a message: fields 12 and 14 of the file, which `prost_types` does not have.
    let mut file = FileDescriptorProto {
        name: Some("new.proto".to_owned()),
        package: Some("p".to_owned()),
        message_type: vec![DescriptorProto { name: Some("M".to_owned()), ..DescriptorProto::default() }],
        syntax: Some("editions".to_owned()),
        ..FileDescriptorProto::default()
    }
    .encode_to_vec();
    file.extend_from_slice(&[14 << 3, 0xe8, 0x07]);
    let mut set = vec![10, u8::try_from(file.len()).expect("a short file")];
    set.extend_from_slice(&file);
    let path = written("edition.binpb", &set);
    let loaded = load(DescriptorOptions::default().descriptor_set(path)).await.expect("it can be read");
    assert_eq!(loaded.omitted, []);
    assert!(loaded.services.message("p.M").is_some());
}
