//! Messages of typed handlers.

use bytes::{Bytes, BytesMut};

/// A protobuf message type: it knows its name, and turns into bytes and back.
///
/// Every [`prost::Message`] that is also a [`prost::Name`] is one; let `prost-build` write the names with
/// `enable_type_names()`.
pub trait ProtoMessage: Sized + Send + 'static {
    /// The full name, without a leading dot: `game.v1.GameEvent`.
    fn full_name() -> String;

    /// The bytes of the message.
    fn encode_message(&self) -> Bytes;

    /// The message of the bytes.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] where the bytes are not a message of this type.
    fn decode_message(bytes: Bytes) -> Result<Self, DecodeError>;
}

/// Bytes that are not a message of the type that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("bytes do not fit the message")]
pub struct DecodeError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl DecodeError {
    /// An error with its cause.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl<T: prost::Message + prost::Name + Default + 'static> ProtoMessage for T {
    fn full_name() -> String {
        <T as prost::Name>::full_name()
    }

    fn encode_message(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.encoded_len());
        // A `BytesMut` grows as needed, so there is always room.
        let _ = self.encode(&mut bytes);
        bytes.freeze()
    }

    fn decode_message(bytes: Bytes) -> Result<Self, DecodeError> {
        T::decode(bytes).map_err(DecodeError::new)
    }
}
