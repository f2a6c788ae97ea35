//! How much is on the heap while a large message is transcoded: no more than twice the output and a megabyte, beside the
//! input. A test binary of its own, with one test, since the allocator counts for all.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used, reason = "test data")]
#![allow(clippy::print_stdout, reason = "the figures are worth reading")]

mod common;

use common::message;
use common::wire::{Wire, wire};
use grpcws_json::{MarshalOptions, UnmarshalOptions};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The size on the wire of the messages that count most, and of the others.
const LARGE: usize = 100 << 20;
const SMALLER: usize = 12 << 20;
const MEGABYTE: usize = 1 << 20;

/// What `transcode` has on the heap at most, in place of its output, which it returns.
fn peak(transcode: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let mut out = Vec::new();
    transcode(&mut out);
    (out, HEAP.peak_usage() - before)
}

/// Transcodes to JSON and back. `more` may be there beside that on the way to JSON.
fn check(what: &str, name: &str, wire: Vec<u8>, more: usize) {
    let (json, to_json) = peak(|out| message(name).to_json(&wire, &MarshalOptions::default(), out).unwrap());
    let length = wire.len();
    drop(wire);
    let (back, from_json) =
        peak(|out| message(name).from_json(&json, &UnmarshalOptions::default(), out).unwrap());
    let (json, back) = (json.len(), back.len());
    println!(
        "{what}: wire {length}, JSON {json}; peak {to_json} ({:.2} of the output) to JSON, {from_json} ({:.2}) from JSON",
        to_json as f64 / json as f64,
        from_json as f64 / back as f64
    );
    assert!(back <= length && back > length / 2, "{what}: {length} bytes became {back}");
    assert!(to_json <= 2 * json + MEGABYTE + more, "{what}: {to_json} for {json} of JSON");
    assert!(from_json <= 2 * back + MEGABYTE, "{what}: {from_json} for {back} on the wire");
}

/// Repeats what `record` appends until the message has this size.
fn repeated(size: usize, mut record: impl FnMut(Wire, u64) -> Wire) -> Vec<u8> {
    let mut all = Wire(Vec::with_capacity(size + 20_000));
    let mut count = 0;
    while all.0.len() < size {
        all = record(all, count);
        count += 1;
    }
    all.0
}

#[test]
fn no_more_than_twice_the_output() {
    let long = |size: usize, number, content: &[u8]| {
        wire().bytes(number, content.repeat(size / content.len() + 1)).0
    };
    check("string", "everything.v1.Scalars", long(LARGE, 14, b"plain text, "), 0);
    check("bytes", "everything.v1.Scalars", long(LARGE, 15, b"\x00\x01\xfe\xff\x7f"), 0);
    let messages = repeated(LARGE, |all, count| {
        all.message(17, wire().varint(3, count).bytes(14, "some text, longer than the keys").varint(16, 1))
    });
    check("repeated messages", "everything.v1.Repeateds", messages, 0);
    let entry = |all: Wire, key: u64| all.message(1, wire().bytes(1, format!("{key:09}")).bytes(2, "value"));
    check("map, sorted", "everything.v1.Maps", repeated(LARGE, entry), 0);

    let escapes = "a \"quote\" and a\nbreak, \u{1}é".as_bytes();
    check("string with escapes", "everything.v1.Scalars", long(SMALLER, 14, escapes), 0);
    check("packed booleans", "everything.v1.Repeateds", long(SMALLER, 13, b"\x01"), 0);
    check("packed doubles", "everything.v1.Repeateds", long(SMALLER, 1, &1.25e-7_f64.to_le_bytes()), 0);
    let strings = repeated(SMALLER, |all, count| all.bytes(14, "x".repeat((count % 9000) as usize)));
    check("repeated strings", "everything.v1.Repeateds", strings, 0);
    // Where keys are in any order, two words for each entry and a set of them tell whether one is there twice.
    let unsorted = repeated(SMALLER, |all, count| entry(all, count ^ 1));
    let more = unsorted.len() / 20 * 80;
    check("map, in any order", "everything.v1.Maps", unsorted, more);
    // Elements of two fields in turns are noted before they are printed, in two words each.
    let interleaved = repeated(SMALLER, |all, count| {
        all.bytes(14, "some longer text that is in turns with a number").varint(13, count & 1)
    });
    let more = interleaved.len();
    check("interleaved", "everything.v1.Repeateds", interleaved, more);
}
