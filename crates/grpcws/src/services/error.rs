//! What can be wrong with a descriptor set.

use grpcws_json::TableError;

/// A descriptor set that no [`Services`](super::Services) can be made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// The bytes are not a serialized `google.protobuf.FileDescriptorSet`.
    #[error("not a file descriptor set")]
    Malformed(#[from] prost::DecodeError),
    /// The set's messages or enums are not valid, or a file that its files import is missing.
    #[error("the descriptor set has no table of messages")]
    Table(#[from] TableError),
    /// A method names a message type that is in none of the files. Descriptor sets must contain what they import:
    /// `protoc --include_imports`.
    #[error("method {method} has type {type_name}, which is in none of the files")]
    UnresolvedType {
        /// The method's full name.
        method: String,
        /// The type that it names.
        type_name: String,
    },
    /// Two services, or two methods of a service, have the same full name.
    #[error("{name} is defined twice")]
    DuplicateName {
        /// The full name.
        name: String,
    },
}
