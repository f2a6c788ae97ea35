//! Transcodes protobuf wire bytes to protojson and back, driven by descriptors that are loaded at run time, without
//! building a message object in between.
//!
//! ```
//! use grpcws_json::{MarshalOptions, Table, UnmarshalOptions};
//!
//! # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
//! # let descriptors = protox::Compiler::new([directory])?.open_file("game.proto")?.encode_file_descriptor_set();
//! // `descriptors` is a serialized `google.protobuf.FileDescriptorSet`, as protoc, protox, buf and server reflection
//! // give it.
//! let table = Table::from_file_descriptor_set(&descriptors)?;
//! let request = table.message("game.v1.SubscribeRequest").ok_or("no such message")?;
//!
//! let mut wire = Vec::new();
//! request.from_json(br#"{"gameId": "chess", "target": {"x": 3}}"#, &UnmarshalOptions::default(), &mut wire)?;
//! assert_eq!(wire, b"\x0a\x05chess\x1a\x02\x08\x03");
//!
//! let mut json = Vec::new();
//! request.to_json(&wire, &MarshalOptions::default().use_proto_names(true), &mut json)?;
//! assert_eq!(json, br#"{"game_id":"chess","target":{"x":3}}"#);
//!
//! let error = request.from_json(br#"{"gameId": "x", "gmae_id": 1}"#, &UnmarshalOptions::default(), &mut wire).unwrap_err();
//! assert_eq!(error.to_string(), r#"line 1 column 17: unknown field "gmae_id" in game.v1.SubscribeRequest"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//! [`Table::from_file_descriptor_set`] compiles descriptors into one table per message type: the fields by number, an
//! index by name, and the bytes that each key is printed with. After that:
//!
//! - [`Message::to_json`] goes over the wire bytes once and prints each field as it passes, as long as fields arrive in
//!   the order of their numbers, which is how encoders write them. Where they do not, or a field is set twice, it
//!   starts again and sorts the fields of each message first; messages that come in parts are merged without being
//!   copied.
//! - [`Message::from_json`] goes over the text once. It guesses that members come in the order in which the fields are
//!   declared, looks their names up where they do not, and writes lengths when it knows them.
//!
//! Both append to a buffer of the caller, so that an envelope can be written around the value in place, and leave it as
//! it was where they fail. [`Message::from_json_at`] and [`Message::from_json_in`] read a value inside a larger
//! document and report positions in that document.
//!
//! # What is mapped
//! Everything that protojson defines, for proto2, proto3 and the editions 2023 and 2024, whose features are resolved
//! when the table is compiled: presence, open and closed enums, packed and delimited encoding, maps, oneofs, groups,
//! extensions (as `"[full.name]"`), and the well-known types. An `Any` is resolved by the part of its URL behind the last
//! slash, in the table itself; the well-known types are always there.
//!
//! Where protojson leaves a choice:
//!
//! - Fields are printed in the order of their numbers. Doubles and floats are printed with the fewest digits that read
//!   back as the same number; negative zero as `-0.0`, since `-0` is an integer to some parsers.
//! - An `Any` that holds an `Empty` is printed with `"value": {}`, as Go does, and read with or without it.
//! - A map's key may be there twice when reading; the last entry counts. A field may not.
//! - Required fields are checked when reading, unless [`UnmarshalOptions::allow_partial`] is set, and not when printing.
//! - A number that a closed enum does not have is an unknown field when printing, and an error when reading.
//! - JSON text is UTF-8. A string that is not has no JSON form, also where its field does not ask for UTF-8.
//! - Unknown fields are left out.
//!
//! # Limits
//! Messages nest to [`DEFAULT_RECURSION_LIMIT`] levels in both directions, and at most to [`MAX_RECURSION_LIMIT`] where
//! an option says so. Nothing is allocated by a length that the input declares: to JSON, memory beside the output is two words per
//! entry of a map, up to 4,096 entries where keys ascend, and where fields have to be sorted, two words per field; from JSON, a
//! key or an `Any`'s URL that has escapes, and two words per `@type` that is not first, within an `Any` where it is not first
//! either. While it grows, a large output takes at most twice its final size. Time is linear in the input, with the depth as a
//! factor for groups that are out of order and for moving what is behind a length that needs more than one byte.
//!
//! # Limitations
//! `message_set_wire_format` is not supported: such messages are printed as if they had no extensions. Comments,
//! trailing commas and other extensions of JSON are refused.
//!
//! protox and prost-reflect do not know editions: a `.proto` file of an edition has to be compiled by `protoc` or `buf`, whose
//! descriptor sets are read here.
#![cfg_attr(test, allow(clippy::cast_possible_truncation, clippy::cast_sign_loss))]

mod append;
mod base64;
mod calendar;
mod decimal;
mod digits;
mod error;
mod field_mask;
mod from_json;
mod missing;
mod options;
mod path;
mod room;
mod scan;
mod table;
mod to_json;
mod wire;

pub use error::{FromJsonError, FromJsonErrorKind, TableError, ToJsonError, ToJsonErrorKind};
pub use missing::{MissingType, MissingTypes};
pub use options::{DEFAULT_RECURSION_LIMIT, MAX_RECURSION_LIMIT, MarshalOptions, UnmarshalOptions};
pub use table::{EnumDescriptor, FieldDescriptor, FieldKind, Message, Table};
