//! The tables of the tests, and short ways to transcode.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::cast_possible_truncation, reason = "test data")]

pub(crate) mod wire;

use std::path::Path;
use std::sync::LazyLock;

use grpcws_json::{FromJsonError, MarshalOptions, Message, Table, ToJsonError, UnmarshalOptions};

static SET: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/proto");
    let mut compiler = protox::Compiler::new([&directory]).expect("the directory is there");
    compiler.include_imports(true);
    for file in ["game.proto", "everything.proto", "legacy.proto"] {
        compiler.open_file(file).expect("the file compiles");
    }
    compiler.encode_file_descriptor_set()
});

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::from_file_descriptor_set(&SET).expect("the descriptors are valid"));

pub(crate) fn descriptor_set() -> &'static [u8] {
    &SET
}

pub(crate) fn table() -> &'static Table {
    &TABLE
}

pub(crate) fn pool() -> prost_reflect::DescriptorPool {
    prost_reflect::DescriptorPool::decode(&**SET).expect("the descriptors are valid")
}

pub(crate) fn message(name: &str) -> Message {
    TABLE.message(name).unwrap_or_else(|| panic!("no message {name}"))
}

pub(crate) fn to_json_with(name: &str, wire: &[u8], options: &MarshalOptions) -> Result<String, ToJsonError> {
    let mut out = b"before".to_vec();
    let result = message(name).to_json(wire, options, &mut out);
    let json = String::from_utf8(out).expect("JSON is UTF-8");
    let json = json.strip_prefix("before").expect("what was there stays").to_owned();
    match result {
        Ok(()) => {
            serde_json::from_str::<serde_json::Value>(&json)
                .unwrap_or_else(|error| panic!("{error}: {json}"));
            Ok(json)
        }
        Err(error) => {
            assert_eq!(json, "", "an error leaves nothing behind");
            Err(error)
        }
    }
}

pub(crate) fn to_json(name: &str, wire: &[u8]) -> Result<String, ToJsonError> {
    to_json_with(name, wire, &MarshalOptions::default())
}

pub(crate) fn from_json_with(
    name: &str,
    json: &str,
    options: &UnmarshalOptions,
) -> Result<Vec<u8>, FromJsonError> {
    let mut out = b"before".to_vec();
    let result = message(name).from_json(json.as_bytes(), options, &mut out);
    let wire = out.strip_prefix(b"before").expect("what was there stays").to_vec();
    match result {
        Ok(()) => Ok(wire),
        Err(error) => {
            assert_eq!(wire, b"", "an error leaves nothing behind");
            Err(error)
        }
    }
}

pub(crate) fn from_json(name: &str, json: &str) -> Result<Vec<u8>, FromJsonError> {
    from_json_with(name, json, &UnmarshalOptions::default())
}

/// JSON → wire → JSON.
pub(crate) fn round_trip(name: &str, json: &str) -> String {
    let wire = from_json(name, json).unwrap_or_else(|error| panic!("{error}: {json}"));
    to_json(name, &wire).unwrap_or_else(|error| panic!("{error}: {json}"))
}
