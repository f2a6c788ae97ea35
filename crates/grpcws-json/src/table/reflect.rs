//! What a table says of its types, for who reads or writes messages by the names of their fields.

use std::fmt;
use std::sync::Arc;

use super::{Cardinality, EnumType, Field, Kind, Message, NONE, TableData};

impl Message {
    /// The field with this name in the `.proto` file. Extensions are not found.
    ///
    /// A name may be that of one field in the `.proto` file and that of another one in JSON, which is what
    /// [`field_by_json_name`](Self::field_by_json_name) is for.
    ///
    /// ```
    /// use grpcws_json::{FieldKind, Table};
    ///
    /// # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    /// # let descriptors = protox::Compiler::new([directory])?.open_file("game.proto")?.encode_file_descriptor_set();
    /// let table = Table::from_file_descriptor_set(&descriptors)?;
    /// let request = table.message("game.v1.SubscribeRequest").ok_or("no such message")?;
    /// let field = request.field("game_id").ok_or("no such field")?;
    /// assert_eq!(field.json_name(), "gameId");
    /// assert!(matches!(field.kind(), FieldKind::String));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn field(&self, name: &str) -> Option<FieldDescriptor> {
        let message = self.data.message(self.index)?;
        // All names are there, those of JSON before the others.
        let index = message.names.find(name.as_bytes())?;
        let field = message.fields.get(index as usize)?;
        let (index, field) = if *field.name == *name {
            (index, field)
        } else {
            (0..).zip(&message.fields).find(|(_, field)| *field.name == *name)?
        };
        (!field.extension).then(|| FieldDescriptor { message: self.clone(), index })
    }

    /// The field with this name in JSON. Extensions are not found.
    #[must_use]
    pub fn field_by_json_name(&self, name: &str) -> Option<FieldDescriptor> {
        let message = self.data.message(self.index)?;
        let index = message.names.find(name.as_bytes())?;
        let field = message.fields.get(index as usize)?;
        let found = *field.json_name == *name && !field.extension;
        found.then(|| FieldDescriptor { message: self.clone(), index })
    }

    /// The fields in the order of their numbers, without extensions.
    pub fn fields(&self) -> impl Iterator<Item = FieldDescriptor> {
        let fields = self.data.message(self.index).map_or(&[][..], |message| &message.fields);
        let declared = (0..).zip(fields).filter(|(_, field)| !field.extension);
        declared.map(|(index, _)| FieldDescriptor { message: self.clone(), index })
    }
}

/// A field of a [`Message`]. Cheap to clone.
#[derive(Clone)]
pub struct FieldDescriptor {
    pub(crate) message: Message,
    pub(crate) index: u32,
}

/// The type of the values of a field.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are those of protobuf's types")]
pub enum FieldKind {
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
    Enum(EnumDescriptor),
    Message(Message),
}

impl FieldDescriptor {
    fn field(&self) -> &Field {
        let message = self.message.data.message_of(self.message.index);
        message.fields.get(self.index as usize).expect("descriptors are only made of fields that are there")
    }

    /// The message that has it.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }

    /// The number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.field().number
    }

    /// The name in the `.proto` file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.field().name
    }

    /// The name in JSON.
    #[must_use]
    pub fn json_name(&self) -> &str {
        &self.field().json_name
    }

    /// The type of one value. That of a map is the message type of its entries.
    #[must_use]
    pub fn kind(&self) -> FieldKind {
        let data = &self.message.data;
        match self.field().kind {
            Kind::Double => FieldKind::Double,
            Kind::Float => FieldKind::Float,
            Kind::Int64 => FieldKind::Int64,
            Kind::Uint64 => FieldKind::Uint64,
            Kind::Int32 => FieldKind::Int32,
            Kind::Fixed64 => FieldKind::Fixed64,
            Kind::Fixed32 => FieldKind::Fixed32,
            Kind::Bool => FieldKind::Bool,
            Kind::String => FieldKind::String,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Uint32 => FieldKind::Uint32,
            Kind::Sfixed32 => FieldKind::Sfixed32,
            Kind::Sfixed64 => FieldKind::Sfixed64,
            Kind::Sint32 => FieldKind::Sint32,
            Kind::Sint64 => FieldKind::Sint64,
            Kind::Enum(index) => FieldKind::Enum(EnumDescriptor { data: Arc::clone(data), index }),
            Kind::Message(index) | Kind::Group(index) => {
                FieldKind::Message(Message { data: Arc::clone(data), index })
            }
        }
    }

    /// Whether the field has any number of values, in a list or in a map.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.field().cardinality != Cardinality::Singular
    }

    /// Whether the field is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        self.field().cardinality == Cardinality::Map
    }

    /// Whether a message is written between group tags in place of behind its length.
    #[must_use]
    pub fn is_delimited(&self) -> bool {
        matches!(self.field().kind, Kind::Group(_))
    }

    /// The other fields of the oneof that this one is in.
    pub fn oneof_siblings(&self) -> impl Iterator<Item = u32> {
        let Field { oneof, number, .. } = *self.field();
        let message = self.message.data.message_of(self.message.index);
        let siblings = move |field: &&Field| oneof != NONE && field.oneof == oneof && field.number != number;
        message.fields.iter().filter(siblings).map(|field| field.number)
    }
}

impl fmt::Debug for FieldDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.message.full_name(), self.name())
    }
}

/// An enum type of a table. Cheap to clone.
#[derive(Clone)]
pub struct EnumDescriptor {
    data: Arc<TableData>,
    index: u32,
}

impl EnumDescriptor {
    fn found(&self) -> &EnumType {
        self.data.enum_of(self.index)
    }

    /// The full name, without a leading dot.
    #[must_use]
    pub fn full_name(&self) -> &str {
        &self.found().full_name
    }

    /// The number of the value with this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i32> {
        self.found().number(name.as_bytes())
    }

    /// Whether a field of this type may have this number: any one where the enum is open.
    #[must_use]
    pub fn accepts(&self, number: i32) -> bool {
        !self.found().closed || self.found().quoted_name(number).is_some()
    }
}

impl fmt::Debug for EnumDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnumDescriptor").field(&self.full_name()).finish()
    }
}
