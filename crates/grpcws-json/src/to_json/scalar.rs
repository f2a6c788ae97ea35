//! Numbers, booleans, bytes and enum values.

#![expect(clippy::cast_possible_truncation, reason = "32-bit types are the low bits of their varint")]

use super::writer::{Step, Writer};
use crate::append::put_block;
use crate::base64;
use crate::decimal::{put_double, put_float};
use crate::digits::{put_integer, put_signed};
use crate::room::{LONG, make_room};
use crate::table::Kind;
use crate::wire::{Reader, zigzag32, zigzag64};

impl<'a> Writer<'a> {
    /// Prints a value that is not a message, with a comma behind it or not; tells whether it is the zero of its type.
    pub(super) fn scalar<const COMMA: bool>(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step<bool> {
        self.scalar_inline::<COMMA>(kind, reader)
    }

    #[inline(always)]
    pub(super) fn scalar_inline<const COMMA: bool>(
        &mut self,
        kind: Kind,
        reader: &mut Reader<'a>,
    ) -> Step<bool> {
        let number = match kind {
            Kind::String => return self.string::<COMMA>(reader),
            Kind::Int32 => Number::from((reader.varint()? as u32).cast_signed()),
            Kind::Sint32 => Number::from(zigzag32(reader.varint()? as u32)),
            Kind::Sfixed32 => Number::from(reader.fixed32()?.cast_signed()),
            Kind::Uint32 => Number::from(reader.varint()? as u32),
            Kind::Fixed32 => Number::from(reader.fixed32()?),
            Kind::Int64 => Number::from(reader.varint()?.cast_signed()),
            Kind::Sint64 => Number::from(zigzag64(reader.varint()?)),
            Kind::Sfixed64 => Number::from(reader.fixed64()?.cast_signed()),
            Kind::Uint64 => Number::from(reader.varint()?),
            Kind::Fixed64 => Number::from(reader.fixed64()?),
            Kind::Bool => {
                let value = reader.varint()? != 0;
                let (text, length) = if value { (b"true,  ", 4) } else { (b"false, ", 5) };
                put_block(&mut self.out, text, length + usize::from(COMMA));
                return Ok(!value);
            }
            Kind::Enum(index) => {
                let number = (reader.varint()? as u32).cast_signed();
                self.enum_value::<COMMA>(index, number);
                return Ok(number == 0);
            }
            kind => return self.other_scalar::<COMMA>(kind, reader),
        };
        if number.quoted {
            put_integer::<true, COMMA>(&mut self.out, number.negative, number.magnitude);
        } else {
            put_integer::<false, COMMA>(&mut self.out, number.negative, number.magnitude);
        }
        Ok(number.magnitude == 0)
    }

    #[inline(never)]
    fn other_scalar<const COMMA: bool>(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step<bool> {
        Ok(match kind {
            Kind::Double => {
                let bits = reader.fixed64()?;
                put_double::<COMMA>(&mut self.out, f64::from_bits(bits));
                bits == 0
            }
            Kind::Float => {
                let bits = reader.fixed32()?;
                put_float::<COMMA>(&mut self.out, f32::from_bits(bits));
                bits == 0
            }
            Kind::Bytes => {
                let bytes = reader.bytes()?;
                if bytes.len() >= LONG {
                    let digits = bytes.len().div_ceil(3).saturating_mul(4);
                    make_room(&mut self.out, digits, reader.position(), self.input.len());
                }
                self.out.push(b'"');
                base64::encode(bytes, &mut self.out);
                self.out.extend_from_slice(if COMMA { b"\"," } else { b"\"" });
                bytes.is_empty()
            }
            // Messages are not scalars: `value` takes them.
            _ => false,
        })
    }

    /// Prints the name; the number where there is none, or where the options ask for it.
    pub(super) fn enum_value<const COMMA: bool>(&mut self, index: u32, number: i32) {
        let found = self.table.enum_of(index);
        if found.null_value {
            self.out.extend_from_slice(if COMMA { b"null," } else { b"null" });
            return;
        }
        let name = if self.enum_numbers { None } else { found.quoted_name(number) };
        match name {
            Some(name) if COMMA => name.put(&mut self.out),
            Some(name) => self.out.extend_from_slice(name.quoted()),
            None => put_signed::<false, COMMA>(&mut self.out, i64::from(number)),
        }
    }
}

/// An integer to print; those of 64 bits are in quotes.
struct Number {
    negative: bool,
    magnitude: u64,
    quoted: bool,
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
