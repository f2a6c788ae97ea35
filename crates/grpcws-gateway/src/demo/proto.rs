//! The generated code of `game.v1`.
//!
//! The comments are those of `proto/game/v1/game.proto`.

// Generated code: what the proto does not document needs no documentation here either.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::indexing_slicing)]

tonic::include_proto!("game.v1");

/// The serialized `FileDescriptorSet` of `game.v1` with its imports, for reflection and for the JSON table.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/game_descriptor_set.bin"));
