//! Random messages of random schemas, with what this crate makes of them, for `tests/python/protojson.py` to compare with
//! protobuf's Python package.
//!
//! `random_messages SCHEMAS MESSAGES [SEED]` writes to standard output, each length as four little-endian bytes:
//!
//! - for each schema: `S`, a length and a `FileDescriptorProto`, which may import the well-known types, a length and the full
//!   name of its first message type;
//! - for each of its messages: `M`, one byte that tells the options (bit 0: `use_proto_names`, bit 1: `use_enum_numbers`,
//!   bit 2: `emit_default_values`), then a length and the wire bytes, a length and the JSON of them, a length and the wire bytes
//!   of that JSON.
//!
//! Where this crate reports an error, its text stands in place of what there is none of, behind a byte 0xff.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a generator for tests: it reads nothing of a peer's"
)]

#[path = "../../tests/common/wire.rs"]
#[allow(clippy::cast_possible_truncation, reason = "a varint is written by its low seven bits")]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod bytes;
mod descriptors;
mod schema;
mod values;

use std::io::{self, Write};

use fastrand::Rng;
use grpcws_json::{MarshalOptions, Table, UnmarshalOptions};
use schema::Schema;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let (schemas, messages, seed) = match *arguments {
        [schemas, messages] => (schemas, messages, 1),
        [schemas, messages, seed] => (schemas, messages, seed),
        _ => return Err("usage: random_messages SCHEMAS MESSAGES [SEED]".into()),
    };
    // protobuf's Python package does not ask for required fields when it reads JSON.
    let unmarshal = &UnmarshalOptions::default().allow_partial(true);
    let mut out = io::BufWriter::with_capacity(1 << 20, io::stdout().lock());
    for index in 0..schemas {
        let mut random = Rng::with_seed(seed << 32 | index);
        let schema = Schema::random(&mut random);
        let file = schema.file();
        out.write_all(b"S")?;
        put(&mut out, &file)?;
        put(&mut out, schema.full_name(0).as_bytes())?;
        let table = Table::from_file_descriptor_set(&descriptors::with_well_known_types(&file))?;
        let message = table.message(&schema.full_name(0)).ok_or("the first message type is missing")?;
        for _ in 0..messages {
            let wire = schema.message(0, &mut random, 4);
            let variant = if random.bool() { 0 } else { random.u8(..8) };
            let marshal = MarshalOptions::default()
                .use_proto_names(variant & 1 != 0)
                .use_enum_numbers(variant & 2 != 0)
                .emit_default_values(variant & 4 != 0);
            out.write_all(&[b'M', variant])?;
            put(&mut out, &wire)?;
            let (mut json, mut back) = (Vec::new(), Vec::new());
            if let Err(error) = message.to_json(&wire, &marshal, &mut json) {
                json = [b"\xff", error.to_string().as_bytes()].concat();
            } else if let Err(error) = message.from_json(&json, unmarshal, &mut back) {
                back = [b"\xff", error.to_string().as_bytes()].concat();
            }
            put(&mut out, &json)?;
            put(&mut out, &back)?;
        }
    }
    out.flush()?;
    Ok(())
}

fn put(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes())?;
    out.write_all(bytes)
}
