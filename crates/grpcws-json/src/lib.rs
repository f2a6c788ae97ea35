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
#![cfg_attr(test, allow(clippy::cast_possible_truncation, clippy::cast_sign_loss))]

mod base64;
mod calendar;
mod error;
mod field_mask;
mod from_json;
mod options;
mod path;
mod table;
mod to_json;
mod wire;

pub use error::{FromJsonError, FromJsonErrorKind, TableError, ToJsonError, ToJsonErrorKind};
pub use options::{DEFAULT_RECURSION_LIMIT, MAX_RECURSION_LIMIT, MarshalOptions, UnmarshalOptions};
pub use table::{Message, Table};
