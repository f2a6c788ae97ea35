//! A reader of serialized descriptors: only the parts that a table is made from.
//!
//! Decoding here, rather than with generated types, keeps what those would drop: the edition features in the options.

use crate::error::TableError;
use crate::wire::{LENGTH_DELIMITED, Malformed, Reader, VARINT};

/// Deepest nesting of message types in message types.
const NESTING: u32 = 64;

/// `google.protobuf.FeatureSet`, raw numbers, where they are set.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FeatureOverrides {
    pub(super) field_presence: Option<u64>,
    pub(super) enum_type: Option<u64>,
    pub(super) repeated_field_encoding: Option<u64>,
    pub(super) message_encoding: Option<u64>,
}

#[derive(Debug, Default)]
pub(super) struct FileDescriptor<'a> {
    pub(super) name: &'a str,
    pub(super) package: &'a str,
    pub(super) syntax: &'a str,
    pub(super) edition: u64,
    pub(super) messages: Vec<MessageDescriptor<'a>>,
    pub(super) enums: Vec<EnumDescriptor<'a>>,
    pub(super) extensions: Vec<FieldDescriptor<'a>>,
    pub(super) features: FeatureOverrides,
}

#[derive(Debug, Default)]
pub(super) struct MessageDescriptor<'a> {
    pub(super) name: &'a str,
    pub(super) fields: Vec<FieldDescriptor<'a>>,
    pub(super) messages: Vec<MessageDescriptor<'a>>,
    pub(super) enums: Vec<EnumDescriptor<'a>>,
    pub(super) extensions: Vec<FieldDescriptor<'a>>,
    pub(super) oneofs: Vec<OneofDescriptor<'a>>,
    /// The numbers that are for extensions: the first of each range, and the one behind its last.
    pub(super) extension_ranges: Vec<(u64, u64)>,
    pub(super) map_entry: bool,
    pub(super) features: FeatureOverrides,
}

#[derive(Debug, Default)]
pub(super) struct FieldDescriptor<'a> {
    pub(super) name: &'a str,
    pub(super) extendee: &'a str,
    pub(super) number: u64,
    pub(super) label: u64,
    pub(super) kind: u64,
    pub(super) type_name: &'a str,
    pub(super) oneof_index: Option<u64>,
    pub(super) json_name: Option<&'a str>,
    pub(super) proto3_optional: bool,
    pub(super) packed: Option<bool>,
    pub(super) features: FeatureOverrides,
}

#[derive(Debug, Default)]
pub(super) struct OneofDescriptor<'a> {
    pub(super) name: &'a str,
    pub(super) features: FeatureOverrides,
}

#[derive(Debug, Default)]
pub(super) struct EnumDescriptor<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<(&'a str, i32)>,
    pub(super) features: FeatureOverrides,
}

/// One field of a descriptor: its number, and its value in either of the two wire types that descriptors use.
struct Record<'a> {
    number: u32,
    varint: u64,
    bytes: &'a [u8],
    content: Reader<'a>,
}

impl<'a> Record<'a> {
    fn text(&self) -> Result<&'a str, TableError> {
        std::str::from_utf8(self.bytes).map_err(|_| TableError::Malformed {
            offset: self.content.position(),
            reason: "a name is not UTF-8",
        })
    }
}

impl From<Malformed> for TableError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed { offset: malformed.offset, reason: malformed.reason.text() }
    }
}

fn each<'a>(
    mut reader: Reader<'a>,
    mut record: impl FnMut(Record<'a>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    while !reader.is_at_end() {
        let (number, wire_type) = reader.tag()?;
        match wire_type {
            VARINT => {
                let varint = reader.varint()?;
                // Nothing, and not what follows: where a message is expected, that would be read again, and again in it.
                let content = reader.narrowed(&(reader.position()..reader.position()));
                record(Record { number, varint, bytes: &[], content })?;
            }
            LENGTH_DELIMITED => {
                let range = reader.payload()?;
                let bytes = reader.slice(&range);
                record(Record { number, varint: 0, bytes, content: reader.narrowed(&range) })?;
            }
            _ => reader.skip(number, wire_type)?,
        }
    }
    Ok(())
}

pub(super) fn files(bytes: &[u8]) -> Result<Vec<FileDescriptor<'_>>, TableError> {
    let mut files = Vec::new();
    each(Reader::new(bytes), |record| {
        if record.number == 1 {
            files.push(file(record.content)?);
        }
        Ok(())
    })?;
    Ok(files)
}

fn file(reader: Reader<'_>) -> Result<FileDescriptor<'_>, TableError> {
    let mut file = FileDescriptor::default();
    each(reader, |record| {
        match record.number {
            1 => file.name = record.text()?,
            2 => file.package = record.text()?,
            4 => file.messages.push(message(record.content, NESTING)?),
            5 => file.enums.push(enumeration(record.content)?),
            7 => file.extensions.push(field(record.content)?),
            8 => options(record.content, 50, &mut file.features, |_, _| {})?,
            12 => file.syntax = record.text()?,
            14 => file.edition = record.varint,
            _ => {}
        }
        Ok(())
    })?;
    Ok(file)
}

fn message(reader: Reader<'_>, depth: u32) -> Result<MessageDescriptor<'_>, TableError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(TableError::Malformed {
            offset: reader.position(),
            reason: "message types nest too deeply",
        });
    };
    let mut found = MessageDescriptor::default();
    let mut map_entry = false;
    each(reader, |record| {
        match record.number {
            1 => found.name = record.text()?,
            2 => found.fields.push(field(record.content)?),
            3 => found.messages.push(message(record.content, depth)?),
            4 => found.enums.push(enumeration(record.content)?),
            5 => found.extension_ranges.push(extension_range(record.content)?),
            6 => found.extensions.push(field(record.content)?),
            7 => options(record.content, 12, &mut found.features, |number, value| {
                if number == 7 {
                    map_entry = value != 0;
                }
            })?,
            8 => found.oneofs.push(oneof(record.content)?),
            _ => {}
        }
        Ok(())
    })?;
    found.map_entry = map_entry;
    Ok(found)
}

fn field(reader: Reader<'_>) -> Result<FieldDescriptor<'_>, TableError> {
    let mut field = FieldDescriptor::default();
    let mut packed = None;
    each(reader, |record| {
        match record.number {
            1 => field.name = record.text()?,
            2 => field.extendee = record.text()?,
            3 => field.number = record.varint,
            4 => field.label = record.varint,
            5 => field.kind = record.varint,
            6 => field.type_name = record.text()?,
            8 => options(record.content, 21, &mut field.features, |number, value| {
                if number == 2 {
                    packed = Some(value != 0);
                }
            })?,
            9 => field.oneof_index = Some(record.varint),
            10 => field.json_name = Some(record.text()?),
            17 => field.proto3_optional = record.varint != 0,
            _ => {}
        }
        Ok(())
    })?;
    field.packed = packed;
    Ok(field)
}

fn extension_range(reader: Reader<'_>) -> Result<(u64, u64), TableError> {
    let mut range = (0, 0);
    each(reader, |record| {
        match record.number {
            1 => range.0 = record.varint,
            2 => range.1 = record.varint,
            _ => {}
        }
        Ok(())
    })?;
    Ok(range)
}

fn oneof(reader: Reader<'_>) -> Result<OneofDescriptor<'_>, TableError> {
    let mut oneof = OneofDescriptor::default();
    each(reader, |record| {
        match record.number {
            1 => oneof.name = record.text()?,
            2 => options(record.content, 1, &mut oneof.features, |_, _| {})?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(oneof)
}

fn enumeration(reader: Reader<'_>) -> Result<EnumDescriptor<'_>, TableError> {
    let mut found = EnumDescriptor::default();
    each(reader, |record| {
        match record.number {
            1 => found.name = record.text()?,
            2 => found.values.push(enum_value(record.content)?),
            3 => options(record.content, 7, &mut found.features, |_, _| {})?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(found)
}

#[expect(clippy::cast_possible_truncation, reason = "an int32 is the low 32 bits of its varint")]
fn enum_value(reader: Reader<'_>) -> Result<(&str, i32), TableError> {
    let mut value = ("", 0);
    each(reader, |record| {
        match record.number {
            1 => value.0 = record.text()?,
            2 => value.1 = (record.varint as u32).cast_signed(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(value)
}

/// Reads an options message whose features are field `features_number`; `varint` gets its other varint fields.
fn options(
    reader: Reader<'_>,
    features_number: u32,
    features: &mut FeatureOverrides,
    mut varint: impl FnMut(u32, u64),
) -> Result<(), TableError> {
    each(reader, |option| {
        if option.number != features_number {
            varint(option.number, option.varint);
            return Ok(());
        }
        each(option.content, |feature| {
            match feature.number {
                1 => features.field_presence = Some(feature.varint),
                2 => features.enum_type = Some(feature.varint),
                3 => features.repeated_field_encoding = Some(feature.varint),
                5 => features.message_encoding = Some(feature.varint),
                _ => {}
            }
            Ok(())
        })
    })
}
