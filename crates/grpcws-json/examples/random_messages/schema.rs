//! Random schemas: a file of proto2, proto3 or edition 2023 with enums and message types that refer to each other.

use fastrand::Rng;
use prost::Message as _;

use crate::descriptors::{
    EnumOptions, EnumType, EnumValue, Features, FieldOptions, FieldType, File, MessageOptions, MessageType,
    Oneof, Range,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Proto2,
    Proto3,
    Edition2023,
}

/// A file; message types and enums are known by their index.
pub(crate) struct Schema {
    pub(crate) syntax: Syntax,
    pub(crate) messages: Vec<Message>,
    pub(crate) enums: Vec<Enum>,
}

pub(crate) struct Enum {
    pub(crate) closed: bool,
    pub(crate) numbers: Vec<i32>,
}

pub(crate) struct Message {
    /// By ascending number; extensions are the last ones.
    pub(crate) fields: Vec<Field>,
    pub(crate) oneofs: usize,
}

pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    pub(crate) packed: bool,
    pub(crate) extension: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Implicit,
    Optional,
    Required,
    /// The index of the oneof.
    Oneof(usize),
    Repeated,
    /// The type of the key.
    Map(Scalar),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(Scalar),
    Enum(usize),
    Message(usize),
    Group(usize),
    /// By its name in `google.protobuf`.
    WellKnown(&'static str),
}

/// The numbers of `FieldDescriptorProto.Type`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Scalar {
    Double = 1,
    Float = 2,
    Int64 = 3,
    Uint64 = 4,
    Int32 = 5,
    Fixed64 = 6,
    Fixed32 = 7,
    Bool = 8,
    String = 9,
    Bytes = 12,
    Uint32 = 13,
    Sfixed32 = 15,
    Sfixed64 = 16,
    Sint32 = 17,
    Sint64 = 18,
}

const SCALARS: [Scalar; 15] = [
    Scalar::Double,
    Scalar::Float,
    Scalar::Int64,
    Scalar::Uint64,
    Scalar::Int32,
    Scalar::Fixed64,
    Scalar::Fixed32,
    Scalar::Bool,
    Scalar::String,
    Scalar::Bytes,
    Scalar::Uint32,
    Scalar::Sfixed32,
    Scalar::Sfixed64,
    Scalar::Sint32,
    Scalar::Sint64,
];

pub(crate) const WELL_KNOWN: [&str; 17] = [
    "Any",
    "Duration",
    "Empty",
    "FieldMask",
    "Struct",
    "Value",
    "ListValue",
    "Timestamp",
    "DoubleValue",
    "FloatValue",
    "Int64Value",
    "UInt64Value",
    "Int32Value",
    "UInt32Value",
    "BoolValue",
    "StringValue",
    "BytesValue",
];

impl Schema {
    pub(crate) fn random(random: &mut Rng) -> Self {
        let syntax = match random.u8(..3) {
            0 => Syntax::Proto2,
            1 => Syntax::Proto3,
            _ => Syntax::Edition2023,
        };
        let enums: Vec<Enum> = (0..random.usize(1..4)).map(|_| Enum::random(syntax, random)).collect();
        let count = random.usize(1..6);
        let mut schema = Self { syntax, messages: Vec::new(), enums };
        for _ in 0..count {
            let message = schema.random_message(count, random);
            schema.messages.push(message);
        }
        schema
    }

    fn random_message(&self, count: usize, random: &mut Rng) -> Message {
        let oneofs = random.usize(..3);
        let length = random.usize(1..16);
        let mut numbers: Vec<u32> = (0..length)
            .map(|_| match random.u8(..8) {
                0 => random.u32(16..2048),
                1 => random.u32(20_000..1 << 29),
                _ => random.u32(1..20),
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut fields: Vec<Field> = numbers
            .into_iter()
            // Numbers that are for extensions, and numbers that protobuf keeps for itself.
            .filter(|number| !(1000..1100).contains(number) && !(19_000..20_000).contains(number))
            .map(|number| self.random_field(number, oneofs, count, random))
            .collect();
        // A oneof without fields is no oneof: where one is left over, a field is added.
        for oneof in 0..oneofs {
            if !fields.iter().any(|field| field.shape == Shape::Oneof(oneof)) {
                let number = 2100 + u32::try_from(oneof).unwrap_or(0);
                let name = format!("choice_{number}");
                let kind = Kind::Scalar(Scalar::String);
                fields.push(Field {
                    name,
                    number,
                    kind,
                    shape: Shape::Oneof(oneof),
                    packed: false,
                    extension: false,
                });
            }
        }
        fields.sort_by_key(|field| field.number);
        if self.syntax != Syntax::Proto3 {
            for number in 1000..1000 + random.u32(..3) {
                let mut field = self.random_field(number, 0, count, random);
                if !matches!(field.shape, Shape::Optional | Shape::Repeated) {
                    field.shape = Shape::Optional;
                    field.packed = false;
                }
                field.extension = true;
                fields.push(field);
            }
        }
        Message { fields, oneofs }
    }

    fn random_field(&self, number: u32, oneofs: usize, count: usize, random: &mut Rng) -> Field {
        let kind = match random.u8(..10) {
            0 | 1 => Kind::Message(random.usize(..count)),
            2 if self.syntax != Syntax::Proto3 => Kind::Group(random.usize(..count)),
            2 | 3 => Kind::WellKnown(WELL_KNOWN[random.usize(..WELL_KNOWN.len())]),
            4 => Kind::Enum(random.usize(..self.enums.len())),
            _ => Kind::Scalar(SCALARS[random.usize(..SCALARS.len())]),
        };
        let shape = match random.u8(..8) {
            0 | 1 => Shape::Repeated,
            2 if !matches!(kind, Kind::Group(_)) => Shape::Map(map_key(random)),
            3 if oneofs > 0 => Shape::Oneof(random.usize(..oneofs)),
            // Required fields of a type that contains itself could not be set at any depth.
            4 if self.syntax != Syntax::Proto3 && matches!(kind, Kind::Scalar(_)) => Shape::Required,
            5 if self.syntax == Syntax::Edition2023 && self.can_be_implicit(kind) => Shape::Implicit,
            5 | 6 if self.syntax == Syntax::Proto3 && self.can_be_implicit(kind) => Shape::Implicit,
            _ => Shape::Optional,
        };
        let packable = match kind {
            Kind::Scalar(scalar) => !matches!(scalar, Scalar::String | Scalar::Bytes),
            Kind::Enum(_) => true,
            _ => false,
        };
        let styles =
            ["field_{}", "a_long_name_with_words_{}", "f{}", "camelCase{}", "_odd__name_{}_", "UPPER_{}"];
        Field {
            name: styles[random.usize(..styles.len())].replace("{}", &number.to_string()),
            number,
            kind,
            shape,
            packed: shape == Shape::Repeated && packable && random.bool(),
            extension: false,
        }
    }

    fn can_be_implicit(&self, kind: Kind) -> bool {
        match kind {
            Kind::Scalar(_) => true,
            // Without presence there has to be a default, and it has to be zero.
            Kind::Enum(index) => !self.enums[index].closed,
            _ => false,
        }
    }

    pub(crate) fn full_name(&self, message: usize) -> String {
        format!("random.v1.Message{message}")
    }

    /// The serialized `FileDescriptorProto`.
    pub(crate) fn file(&self) -> Vec<u8> {
        let imports = ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"];
        let mut file = File {
            name: "random.proto".to_owned(),
            package: "random.v1".to_owned(),
            dependency: imports.iter().map(|name| format!("google/protobuf/{name}.proto")).collect(),
            enums: self.enums.iter().enumerate().map(|(index, found)| self.enum_type(index, found)).collect(),
            ..File::default()
        };
        match self.syntax {
            Syntax::Proto2 => {}
            Syntax::Proto3 => "proto3".clone_into(&mut file.syntax),
            Syntax::Edition2023 => {
                "editions".clone_into(&mut file.syntax);
                file.edition = 1000;
            }
        }
        for (index, message) in self.messages.iter().enumerate() {
            file.messages.push(self.message_type(index, message));
            for field in message.fields.iter().filter(|field| field.extension) {
                let mut extension = self.field_type(index, field);
                extension.name = format!("extension_{index}_{}", field.number);
                extension.extendee = Some(format!(".{}", self.full_name(index)));
                file.extensions.push(extension);
            }
        }
        file.encode_to_vec()
    }

    fn enum_type(&self, index: usize, found: &Enum) -> EnumType {
        let values = found.numbers.iter().enumerate();
        let closed = self.syntax == Syntax::Edition2023 && found.closed;
        let features = Features { enum_type: Some(2), ..Features::default() };
        EnumType {
            name: format!("Enum{index}"),
            values: values
                .map(|(at, &number)| EnumValue { name: format!("ENUM{index}_VALUE_{at}"), number })
                .collect(),
            options: closed.then_some(EnumOptions { features: Some(features) }),
        }
    }

    fn message_type(&self, index: usize, message: &Message) -> MessageType {
        let mut result = MessageType { name: format!("Message{index}"), ..MessageType::default() };
        result.oneofs = (0..message.oneofs).map(|at| Oneof { name: format!("oneof_{at}") }).collect();
        if self.syntax != Syntax::Proto3 {
            result.extension_ranges.push(Range { start: 1000, end: 1100 });
        }
        for field in message.fields.iter().filter(|field| !field.extension) {
            let mut described = self.field_type(index, field);
            if self.syntax == Syntax::Proto3 && field.shape == Shape::Optional && !is_message(field.kind) {
                // Presence in proto3 is a oneof of one field, behind the real ones.
                described.proto3_optional = Some(true);
                described.oneof_index = i32::try_from(result.oneofs.len()).ok();
                result.oneofs.push(Oneof { name: format!("_{}", field.name) });
            }
            if let Shape::Map(key) = field.shape {
                let mut value = self.field_type(index, &Field { shape: Shape::Optional, ..field.copy() });
                "value".clone_into(&mut value.name);
                value.number = 2;
                value.options = None;
                let key = FieldType {
                    name: "key".to_owned(),
                    number: 1,
                    label: 1,
                    kind: key as i32,
                    ..FieldType::default()
                };
                result.nested.push(MessageType {
                    name: entry_name(&field.name),
                    fields: vec![key, value],
                    options: Some(MessageOptions { map_entry: Some(true) }),
                    ..MessageType::default()
                });
            }
            result.fields.push(described);
        }
        result
    }

    fn field_type(&self, parent: usize, field: &Field) -> FieldType {
        let (mut kind, mut type_name) = match field.kind {
            Kind::Scalar(scalar) => (scalar as i32, None),
            Kind::Enum(index) => (14, Some(format!(".random.v1.Enum{index}"))),
            Kind::Message(index) => (11, Some(format!(".{}", self.full_name(index)))),
            // In an edition a group is a message with another encoding.
            Kind::Group(index) if self.syntax == Syntax::Proto2 => {
                (10, Some(format!(".{}", self.full_name(index))))
            }
            Kind::Group(index) => (11, Some(format!(".{}", self.full_name(index)))),
            Kind::WellKnown(name) => (11, Some(format!(".google.protobuf.{name}"))),
        };
        if let Shape::Map(_) = field.shape {
            kind = 11;
            type_name = Some(format!(".{}.{}", self.full_name(parent), entry_name(&field.name)));
        }
        FieldType {
            name: field.name.clone(),
            number: i32::try_from(field.number).expect("below 2^29"),
            label: match field.shape {
                Shape::Repeated | Shape::Map(_) => 3,
                Shape::Required if self.syntax == Syntax::Proto2 => 2,
                _ => 1,
            },
            kind,
            type_name,
            options: self.field_options(field),
            oneof_index: match field.shape {
                Shape::Oneof(index) => i32::try_from(index).ok(),
                _ => None,
            },
            ..FieldType::default()
        }
    }

    fn field_options(&self, field: &Field) -> Option<FieldOptions> {
        let packable = match field.kind {
            Kind::Scalar(scalar) => !matches!(scalar, Scalar::String | Scalar::Bytes),
            Kind::Enum(_) => true,
            _ => false,
        } && field.shape == Shape::Repeated;
        if self.syntax != Syntax::Edition2023 {
            return packable.then_some(FieldOptions { packed: Some(field.packed), features: None });
        }
        let features = Features {
            field_presence: match field.shape {
                Shape::Implicit => Some(2),
                Shape::Required => Some(3),
                _ => None,
            },
            repeated_field_encoding: packable.then_some(if field.packed { 1 } else { 2 }),
            message_encoding: matches!(field.kind, Kind::Group(_)).then_some(2),
            enum_type: None,
        };
        Some(FieldOptions { packed: None, features: Some(features) })
    }
}

impl Field {
    fn copy(&self) -> Self {
        Self { name: self.name.clone(), ..*self }
    }
}

impl Enum {
    fn random(syntax: Syntax, random: &mut Rng) -> Self {
        let closed = match syntax {
            Syntax::Proto2 => true,
            Syntax::Proto3 => false,
            Syntax::Edition2023 => random.bool(),
        };
        let mut numbers = vec![0];
        for _ in 0..random.usize(..6) {
            let number = if random.bool() { random.i32(..) } else { random.i32(-3..10) };
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Self { closed, numbers }
    }
}

pub(crate) fn is_message(kind: Kind) -> bool {
    matches!(kind, Kind::Message(_) | Kind::Group(_) | Kind::WellKnown(_))
}

fn map_key(random: &mut Rng) -> Scalar {
    loop {
        let scalar = SCALARS[random.usize(..SCALARS.len())];
        if !matches!(scalar, Scalar::Double | Scalar::Float | Scalar::Bytes) {
            return scalar;
        }
    }
}

/// As `protoc` names the type of a map's entries.
fn entry_name(field: &str) -> String {
    let mut name = String::new();
    let mut upper = true;
    for character in field.chars() {
        if character == '_' {
            upper = true;
        } else if upper {
            name.extend(character.to_uppercase());
            upper = false;
        } else {
            name.push(character);
        }
    }
    name + "Entry"
}
