//! What the fuzz targets do, as functions of bytes, so that stable Rust runs them over the corpus too.
//!
//! The first byte chooses the message type and the options, where a target has any; the rest is the input. A target
//! panics where something does not hold that always has to.

mod frames;

use std::sync::LazyLock;

use grpcws_json::{MarshalOptions, Message, Table, UnmarshalOptions};

pub use frames::{client_frames, server_frames};

/// A target by its name, which is also that of its folder in the corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 5] = [
    ("wire_to_json", wire_to_json),
    ("json_to_wire", json_to_wire),
    ("descriptors", descriptors),
    ("server_frames", server_frames),
    ("client_frames", client_frames),
];

/// The message types of the tests of `grpcws-json`, and two that are JSON of any shape.
const MESSAGES: [&str; 12] = [
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

static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/grpcws-json/tests/proto");
    let mut compiler = protox::Compiler::new([folder]).expect("the folder is there");
    compiler.include_imports(true);
    for file in ["game.proto", "everything.proto", "legacy.proto"] {
        compiler.open_file(file).expect("the file compiles");
    }
    compiler.encode_file_descriptor_set()
});

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::from_file_descriptor_set(&DESCRIPTORS).expect("the descriptors are valid"));

/// The message type and the options that a byte stands for.
fn chosen(choice: u8) -> (Message, MarshalOptions, UnmarshalOptions) {
    let name = MESSAGES.get(usize::from(choice) % MESSAGES.len()).expect("it is within the list");
    let variant = usize::from(choice) / MESSAGES.len();
    let marshal = MarshalOptions::default()
        .use_proto_names(variant & 1 != 0)
        .use_enum_numbers(variant & 2 != 0)
        .emit_default_values(variant & 4 != 0)
        .emit_unpopulated(variant & 8 != 0);
    let unmarshal = UnmarshalOptions::default().allow_partial(true).discard_unknown(variant & 16 != 0);
    (TABLE.message(name).expect("the message is in the table"), marshal, unmarshal)
}

/// Wire bytes → JSON → wire bytes → the same JSON.
pub fn wire_to_json(data: &[u8]) {
    let Some((&choice, wire)) = data.split_first() else { return };
    let (message, marshal, unmarshal) = chosen(choice);
    round_trip(&message, wire, &marshal, &unmarshal);
}

/// JSON → wire bytes → JSON → wire bytes → the same JSON.
pub fn json_to_wire(data: &[u8]) {
    let Some((&choice, json)) = data.split_first() else { return };
    let (message, marshal, unmarshal) = chosen(choice);
    let mut wire = b"before".to_vec();
    let result = message.from_json(json, &unmarshal, &mut wire);
    let wire = wire.strip_prefix(b"before").expect("what was there stays");
    match result {
        Ok(()) => {
            assert!(round_trip(&message, wire, &marshal, &unmarshal), "what was read cannot be printed");
        }
        Err(error) => {
            assert!(wire.is_empty(), "an error leaves nothing behind");
            assert!(error.offset() <= json.len(), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Prints a message and reads it again; `false` where it has no JSON form.
fn round_trip(
    message: &Message,
    wire: &[u8],
    marshal: &MarshalOptions,
    unmarshal: &UnmarshalOptions,
) -> bool {
    let mut json = b"before".to_vec();
    let result = message.to_json(wire, marshal, &mut json);
    let json = json.strip_prefix(b"before").expect("what was there stays");
    if let Err(error) = result {
        assert!(json.is_empty(), "an error leaves nothing behind");
        assert!(error.offset() <= wire.len(), "{error}");
        assert!(!error.to_string().is_empty());
        return false;
    }
    let mut back = Vec::new();
    if let Err(error) = message.from_json(json, unmarshal, &mut back) {
        panic!("{error}: {}", String::from_utf8_lossy(json));
    }
    let mut again = Vec::new();
    message.to_json(&back, marshal, &mut again).expect("what was read can be printed");
    let (json, again) = (String::from_utf8_lossy(json), String::from_utf8_lossy(&again));
    // Any number of a `NullValue` is printed as `null`, which is read as zero.
    let is_lossy = json.contains("ullValue\":null") || json.contains("ull_value\":null");
    assert!(again == json || is_lossy, "{json} became {again}");
    true
}

/// Descriptors: bytes as they come, or the tests' own with some of them changed. Every message type that a table has is
/// used.
pub fn descriptors(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let set = if choice & 1 == 0 { data.to_vec() } else { mutated(data) };
    let Ok(table) = Table::from_file_descriptor_set(&set) else { return };
    let marshal =
        MarshalOptions::default().emit_unpopulated(choice & 2 != 0).use_proto_names(choice & 4 != 0);
    let unmarshal = UnmarshalOptions::default().allow_partial(true);
    for name in table.message_names() {
        let message = table.message(name).expect("it was listed");
        let mut json = Vec::new();
        if message.to_json(&[], &marshal, &mut json).is_ok() {
            serde_json::from_slice::<serde_json::Value>(&json).expect("it is JSON");
        }
        // Names may be there twice in such a schema, so that what is printed need not be read.
        let _ = message.from_json(&json, &unmarshal, &mut Vec::new());
        let _ = message.to_json(data, &marshal, &mut Vec::new());
        let _ = message.from_json(data, &unmarshal, &mut Vec::new());
    }
}

/// Four bytes a change: where, in two of them, what to do, and a byte to do it with.
fn mutated(changes: &[u8]) -> Vec<u8> {
    let mut set = DESCRIPTORS.clone();
    let (changes, _) = changes.as_chunks::<4>();
    for &[high, low, what, byte] in changes.iter().take(64) {
        let at = usize::from(u16::from_be_bytes([high, low])) % set.len().max(1);
        match what % 4 {
            0 => set.insert(at, byte),
            1 if !set.is_empty() => drop(set.remove(at)),
            2 => set.truncate(at),
            _ => set.iter_mut().skip(at).take(1).for_each(|place| *place = byte),
        }
    }
    set
}
