//! The table that drives both directions, compiled once from descriptors.
//!
//! One [`MessageType`] per message type holds its fields in the order of their numbers, an index by number, an
//! index by name, and for each field the bytes that its JSON key is printed with.

mod build;
mod descriptor;
mod enums;
mod features;
mod indices;
mod names;
mod quoted;
mod reflect;
mod well_known;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use enums::EnumType;
pub(crate) use names::NameIndex;
pub(crate) use quoted::Quoted;
pub use reflect::{EnumDescriptor, FieldDescriptor, FieldKind};
pub(crate) use well_known::Shape;

use crate::error::TableError;
use crate::wire;

/// Every message type of a set of files, in the form that transcoding needs.
///
/// Cheap to clone; made once at start, or whenever the descriptors change. The well-known types of
/// `google.protobuf` are always there, also where the files do not import them, so that an `Any` can hold them.
#[derive(Clone)]
pub struct Table {
    data: Arc<TableData>,
}

#[derive(Default)]
pub(crate) struct TableData {
    pub(crate) messages: Vec<MessageType>,
    pub(crate) enums: Vec<EnumType>,
    pub(crate) by_name: NameIndex,
}

impl Table {
    /// Compiles a serialized `google.protobuf.FileDescriptorSet`, which must contain every file that its files
    /// import. Accepts proto2, proto3 and the editions 2023 and 2024.
    ///
    /// # Errors
    /// The bytes are not a descriptor set, or name types that are not in it.
    pub fn from_file_descriptor_set(bytes: &[u8]) -> Result<Self, TableError> {
        Ok(Self { data: Arc::new(build::build(bytes)?) })
    }

    /// The message type of this full name, which has no leading dot: `game.v1.SubscribeRequest`.
    pub fn message(&self, full_name: &str) -> Option<Message> {
        let index = self.data.by_name.find(full_name.as_bytes())?;
        Some(Message { data: Arc::clone(&self.data), index })
    }

    /// The full names of all message types, in no particular order. The entry types of maps are not among them.
    pub fn message_names(&self) -> impl Iterator<Item = &str> {
        self.data.messages.iter().filter(|message| !message.map_entry).map(|message| &*message.full_name)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("messages", &self.data.messages.len())
            .field("enums", &self.data.enums.len())
            .finish()
    }
}

/// One message type of a [`Table`]: what transcodes. Cheap to clone.
#[derive(Clone)]
pub struct Message {
    pub(crate) data: Arc<TableData>,
    pub(crate) index: u32,
}

impl Message {
    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        self.data.message(self.index).map_or("", |message| &message.full_name)
    }

    /// The table that the type is from: in it are the types of its fields, and those that an `Any` may hold.
    #[must_use]
    pub fn table(&self) -> Table {
        Table { data: Arc::clone(&self.data) }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message").field(&self.full_name()).finish()
    }
}

impl TableData {
    #[inline]
    pub(crate) fn message(&self, index: u32) -> Option<&MessageType> {
        self.messages.get(index as usize)
    }

    /// A type that a field of this table names.
    #[inline]
    pub(crate) fn message_of(&self, index: u32) -> &MessageType {
        self.message(index).expect("fields only name message types of their own table")
    }

    #[inline]
    pub(crate) fn enum_of(&self, index: u32) -> &EnumType {
        self.enums.get(index as usize).expect("fields only name enums of their own table")
    }

    /// Key and value of a map's entries.
    #[inline]
    pub(crate) fn entry_fields(&self, field: &Field) -> (&Field, &Field) {
        let fields = match field.kind {
            Kind::Message(index) => self.message(index).and_then(MessageType::entry_fields),
            _ => None,
        };
        fields.expect("maps are fields of a type of entries")
    }

    /// The message type that the URL of an `Any` names after its last slash.
    pub(crate) fn by_type_url(&self, url: &str) -> Option<u32> {
        let name = url.rsplit_once('/').map_or(url, |(_, name)| name);
        self.by_name.find(name.as_bytes())
    }
}

/// A message type.
pub(crate) struct MessageType {
    pub(crate) full_name: Box<str>,
    pub(crate) shape: Shape,
    /// By ascending number, extensions among them.
    pub(crate) fields: Vec<Field>,
    /// Field number → index in `fields`, [`NONE`] in the gaps. Covers the small numbers.
    by_small_number: Vec<u32>,
    /// JSON names and `.proto` names.
    pub(crate) names: NameIndex,
    /// The real oneofs' names; those that stand for `optional` in proto3 are left out.
    pub(crate) oneofs: Vec<Box<str>>,
    /// Indices in `fields`.
    pub(crate) required: Vec<u32>,
    /// The numbers that are for extensions.
    pub(crate) extension_ranges: Box<[Range<u32>]>,
    /// Which field is declared first; [`Field::declared_next`] goes on from there.
    pub(crate) declared_first: u32,
    pub(crate) map_entry: bool,
}

/// "No such index."
pub(crate) const NONE: u32 = u32::MAX;

impl MessageType {
    #[inline]
    pub(crate) fn field_by_number(&self, number: u32) -> Option<(u32, &Field)> {
        let index = match self.by_small_number.get(number as usize) {
            Some(&index) => index,
            None => self.large_number(number),
        };
        Some((index, self.fields.get(index as usize)?))
    }

    #[cold]
    fn large_number(&self, number: u32) -> u32 {
        let found = self.fields.binary_search_by_key(&number, |field| field.number);
        found.ok().and_then(|index| u32::try_from(index).ok()).unwrap_or(NONE)
    }

    /// Whether a number is one for extensions.
    #[cold]
    pub(crate) fn is_for_extensions(&self, number: u32) -> bool {
        self.extension_ranges.iter().any(|range| range.contains(&number))
    }

    /// Whether an `Any` that holds this type has the JSON in a member `value`. `Empty` is among them, as in Go.
    pub(crate) fn is_wrapped_in_any(&self) -> bool {
        self.shape != Shape::Object || &*self.full_name == "google.protobuf.Empty"
    }

    /// Key and value of a map's entry type.
    pub(crate) fn entry_fields(&self) -> Option<(&Field, &Field)> {
        match self.fields.as_slice() {
            [key, value] if self.map_entry => Some((key, value)),
            _ => None,
        }
    }
}

/// A field, or an extension of the message.
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) cardinality: Cardinality,
    /// Of one value.
    pub(crate) wire_type: u8,
    /// The byte that a tag of one byte is, if a value behind it is one of the field whatever it is; else [`NONE`].
    pub(crate) tag_byte: u32,
    /// Whether a repeated field is *written* packed; both forms are read.
    pub(crate) packed: bool,
    /// No presence: zero is the same as unset.
    pub(crate) implicit: bool,
    pub(crate) required: bool,
    pub(crate) extension: bool,
    /// Numbers that the enum does not have are unknown fields.
    pub(crate) closed_enum: bool,
    /// JSON `null` is a value of the type, not the absence of one.
    pub(crate) null_is_value: bool,
    /// Index in [`MessageType::oneofs`], or [`NONE`].
    pub(crate) oneof: u32,
    /// Index of the field that is declared after this one, or [`NONE`].
    pub(crate) declared_next: u32,
    /// The name in JSON; `[full.name]` for an extension.
    pub(crate) json_name: Box<str>,
    /// The name in the `.proto` file; `[full.name]` for an extension.
    pub(crate) name: Box<str>,
    /// `"jsonName":`
    pub(crate) json_key: Quoted,
    /// `"proto_name":`
    pub(crate) proto_key: Quoted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cardinality {
    Singular,
    Repeated,
    Map,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int64,
    Uint64,
    Int32,
    Fixed64,
    Fixed32,
    Bool,
    String,
    Bytes,
    Uint32,
    Sfixed32,
    Sfixed64,
    Sint32,
    Sint64,
    /// Index in [`TableData::enums`].
    Enum(u32),
    /// Index in [`TableData::messages`].
    Message(u32),
    /// As `Message`, delimited by group tags in place of a length.
    Group(u32),
}

impl Kind {
    pub(crate) fn wire_type(self) -> u8 {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => wire::FIXED64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => wire::FIXED32,
            Self::String | Self::Bytes | Self::Message(_) => wire::LENGTH_DELIMITED,
            Self::Group(_) => wire::START_GROUP,
            _ => wire::VARINT,
        }
    }

    pub(crate) fn is_packable(self) -> bool {
        matches!(self.wire_type(), wire::VARINT | wire::FIXED32 | wire::FIXED64)
    }

    /// The name of a scalar type in `.proto` files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::Float => "float",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
            Self::Int32 => "int32",
            Self::Fixed64 => "fixed64",
            Self::Fixed32 => "fixed32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Uint32 => "uint32",
            Self::Sfixed32 => "sfixed32",
            Self::Sfixed64 => "sfixed64",
            Self::Sint32 => "sint32",
            Self::Sint64 => "sint64",
            Self::Enum(_) => "enum",
            Self::Message(_) | Self::Group(_) => "message",
        }
    }
}
