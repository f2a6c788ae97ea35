//! The messages of `game.v1` as protojson.

use std::sync::LazyLock;

use grpcws_json::{FromJsonError, MarshalOptions, Table, UnmarshalOptions};
use prost::Name;

use super::proto::FILE_DESCRIPTOR_SET;

/// The descriptors of the game's messages.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::from_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .expect("the build script has compiled this descriptor set")
});

fn message<M: Name>() -> grpcws_json::Message {
    TABLE.message(&M::full_name()).expect("the type is generated from the same descriptor set")
}

/// The protojson of a message.
pub(super) fn to_json<M: Name>(value: &M) -> Vec<u8> {
    let mut json = Vec::new();
    message::<M>()
        .to_json(&value.encode_to_vec(), &MarshalOptions::default(), &mut json)
        .expect("prost writes strings as UTF-8, and the game's times are in range");
    json
}

/// The message that the text is.
pub(super) fn from_json<M: Name + Default>(json: &[u8]) -> Result<M, FromJsonError> {
    let mut wire = Vec::new();
    message::<M>().from_json(json, &UnmarshalOptions::default(), &mut wire)?;
    Ok(M::decode(wire.as_slice()).expect("the transcoder writes wire bytes of this type"))
}
