//! Numbers, booleans, bytes and enum values.

#![expect(clippy::cast_possible_truncation, reason = "32-bit types are the low bits of their varint")]

use super::writer::{Step, Writer};
use crate::append::{COMMA, count, put_block};
use crate::base64;
use crate::decimal::{put_double, put_float};
use crate::digits::{put_integer, put_signed};
use crate::room::LONG;
use crate::table::Kind;
use crate::wire::{Malformed, Reader, zigzag32, zigzag64};

impl<'a> Writer<'a> {
    /// Prints a value that is not a message, with a character behind it or not; tells whether it is the zero of its type.
    pub(super) fn scalar<const BEHIND: u8>(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step<bool> {
        self.scalar_inline::<BEHIND>(kind, reader)
    }

    #[inline(always)]
    pub(super) fn scalar_inline<const BEHIND: u8>(
        &mut self,
        kind: Kind,
        reader: &mut Reader<'a>,
    ) -> Step<bool> {
        let number = match kind {
            Kind::String => return self.string::<BEHIND>(reader),
            Kind::Bool => {
                let value = reader.varint()? != 0;
                let (text, length) = if value { (*b"true\0\0\0\0", 4) } else { (*b"false\0\0\0", 5) };
                let text = u64::from_le_bytes(text) | u64::from(BEHIND) << (8 * length);
                put_block(&mut self.out, &text.to_le_bytes(), length + count(BEHIND));
                return Ok(!value);
            }
            Kind::Enum(index) => {
                let number = (reader.varint()? as u32).cast_signed();
                self.enum_value::<BEHIND>(index, number);
                return Ok(number == 0);
            }
            kind => match Number::read(kind, reader)? {
                Some(number) => number,
                None => return self.other_scalar::<BEHIND>(kind, reader),
            },
        };
        if number.quoted {
            put_integer::<true, BEHIND>(&mut self.out, number.negative, number.magnitude);
        } else {
            put_integer::<false, BEHIND>(&mut self.out, number.negative, number.magnitude);
        }
        Ok(number.magnitude == 0)
    }

    #[inline(never)]
    fn other_scalar<const BEHIND: u8>(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step<bool> {
        Ok(match kind {
            Kind::Double => {
                let bits = reader.fixed64()?;
                put_double::<BEHIND>(&mut self.out, f64::from_bits(bits));
                bits == 0
            }
            Kind::Float => {
                let bits = reader.fixed32()?;
                put_float::<BEHIND>(&mut self.out, f32::from_bits(bits));
                bits == 0
            }
            Kind::Bytes => {
                let bytes = reader.bytes()?;
                if bytes.len() >= LONG {
                    let digits = bytes.len().div_ceil(3).saturating_mul(4);
                    self.make_room(digits, reader.position())?;
                }
                self.out.push(b'"');
                base64::encode(bytes, &mut self.out);
                put_block(&mut self.out, &[b'"', BEHIND], 1 + count(BEHIND));
                bytes.is_empty()
            }
            // Messages are not scalars: `value` takes them.
            _ => false,
        })
    }

    /// Prints the name; the number where there is none, or where the options ask for it.
    pub(super) fn enum_value<const BEHIND: u8>(&mut self, index: u32, number: i32) {
        let found = self.table.enum_of(index);
        if found.null_value {
            put_block(&mut self.out, &[b'n', b'u', b'l', b'l', BEHIND], 4 + count(BEHIND));
            return;
        }
        let name = if self.enum_numbers { None } else { found.quoted_name(number) };
        match name {
            Some(name) if BEHIND == COMMA => name.put(&mut self.out),
            Some(name) => self.out.extend_from_slice(name.quoted()),
            None => put_signed::<false, BEHIND>(&mut self.out, i64::from(number)),
        }
    }
}

/// An integer to print; those of 64 bits are in quotes.
#[derive(Default)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
    quoted: bool,
}

impl Number {
    /// Reads an integer; nothing where the type is another.
    #[inline(always)]
    pub(super) fn read(kind: Kind, reader: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        Ok(Some(match kind {
            Kind::Int32 => Self::from((reader.varint()? as u32).cast_signed()),
            Kind::Sint32 => Self::from(zigzag32(reader.varint()? as u32)),
            Kind::Sfixed32 => Self::from(reader.fixed32()?.cast_signed()),
            Kind::Uint32 => Self::from(reader.varint()? as u32),
            Kind::Fixed32 => Self::from(reader.fixed32()?),
            Kind::Int64 => Self::from(reader.varint()?.cast_signed()),
            Kind::Sint64 => Self::from(zigzag64(reader.varint()?)),
            Kind::Sfixed64 => Self::from(reader.fixed64()?.cast_signed()),
            Kind::Uint64 => Self::from(reader.varint()?),
            Kind::Fixed64 => Self::from(reader.fixed64()?),
            _ => return Ok(None),
        }))
    }
}

impl From<i32> for Number {
    #[inline]
    fn from(value: i32) -> Self {
        Self { negative: value < 0, magnitude: u64::from(value.unsigned_abs()), quoted: false }
    }
}

impl From<u32> for Number {
    #[inline]
    fn from(value: u32) -> Self {
        Self { negative: false, magnitude: u64::from(value), quoted: false }
    }
}

impl From<i64> for Number {
    #[inline]
    fn from(value: i64) -> Self {
        Self { negative: value < 0, magnitude: value.unsigned_abs(), quoted: true }
    }
}

impl From<u64> for Number {
    #[inline]
    fn from(value: u64) -> Self {
        Self { negative: false, magnitude: value, quoted: true }
    }
}
