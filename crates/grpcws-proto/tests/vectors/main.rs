//! Runs the golden vectors of `vectors/` against this crate. What the rows mean is said in
//! `vectors/README.md`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_fun_call, reason = "these are tests")]

mod document;
mod flows;
mod handshake;
mod messages;
mod status;
#[path = "../support/mod.rs"]
mod support;

use grpcws_proto::{MethodKind, Mode};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// A file of the repository's root.
fn file(path: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).expect(&path.display().to_string())
}

/// Rows that this crate is known to fail: the row and the reason. One that passes fails the run.
const KNOWN_FAILING: &[(&str, &str)] = &[];

/// Checks every row of one array, and names all that fail.
fn each_row(name: &str, array: &str, check: impl Fn(&Value) + std::panic::RefUnwindSafe) {
    let unexpected: Vec<String> = rows(name, array)
        .iter()
        .filter_map(|row| {
            let row_name = text(row, "name");
            let known = KNOWN_FAILING.iter().any(|(known, _)| *known == row_name);
            match (std::panic::catch_unwind(|| check(row)).is_ok(), known) {
                (true, false) | (false, true) => None,
                (true, true) => Some(format!("{row_name}: passes, take it off the list of the known")),
                (false, false) => Some(format!("{row_name}: fails, see above")),
            }
        })
        .collect();
    assert!(unexpected.is_empty(), "{name}, {array}: {unexpected:#?}");
}

/// The rows of one array of a vector file.
fn rows(name: &str, array: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(&file(&format!("vectors/{name}"))).expect(name);
    let rows = document[array].as_array().expect(array).clone();
    assert!(!rows.is_empty(), "{name}: {array}");
    rows
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member].as_str().expect(&format!("{member} in {row}"))
}

fn number(row: &Value, member: &str) -> u64 {
    row[member].as_u64().expect(&format!("{member} in {row}"))
}

fn mode(name: &str) -> Mode {
    match name {
        "seed" => Mode::Seed,
        "v1.json" => Mode::V1Json,
        "v1.proto" => Mode::V1Proto,
        other => panic!("no mode is called {other:?}"),
    }
}

fn modes(row: &Value) -> Vec<Mode> {
    row["modes"].as_array().unwrap().iter().map(|name| mode(name.as_str().unwrap())).collect()
}

fn kind(name: &str) -> MethodKind {
    match name {
        "unary" => MethodKind::Unary,
        "server_streaming" => MethodKind::ServerStreaming,
        "client_streaming" => MethodKind::ClientStreaming,
        "bidi" => MethodKind::Bidi,
        other => panic!("no kind is called {other:?}"),
    }
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text:?}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Base64 by the book, so that the crate's own is not tested against itself.
fn base64(bytes: &[u8], alphabet_end: [u8; 2]) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(alphabet_end).collect();
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(alphabet[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

/// Metadata as an upstream's headers: `-bin` values are hexadecimal in the vectors and base64 on the wire.
fn metadata(pairs: &Value) -> HeaderMap {
    let mut map = HeaderMap::new();
    for pair in pairs.as_array().expect("a list of pairs") {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let value = if name.ends_with("-bin") { base64(&hex(value), *b"+/") } else { value.to_owned() };
        map.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}
