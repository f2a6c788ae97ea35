//! Values that are not messages.

use super::parser::{Parser, Step};
use super::string::is_utf8;
use crate::base64;
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::room::LONG;
use crate::scan::plain_prefix;
use crate::table::Kind;
use crate::wire::{begin_length_like, end_length_like, put_varint, unzigzag32, unzigzag64};

/// What became of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Value,
    /// The zero of its type, which a field without presence leaves out.
    Zero,
    /// Nothing: an unknown enum value is discarded.
    Nothing,
}

impl Written {
    fn zero_if(zero: bool) -> Self {
        if zero { Self::Zero } else { Self::Value }
    }
}

impl Parser<'_> {
    /// Reads a value and writes it without a tag.
    #[inline]
    pub(super) fn scalar(&mut self, kind: Kind) -> Step<Written> {
        Ok(match kind {
            Kind::Int32 => {
                let value = self.signed32(kind)?;
                self.varint_of(i64::from(value).cast_unsigned())
            }
            Kind::Int64 => {
                let value = self.signed(kind)?;
                self.varint_of(value.cast_unsigned())
            }
            Kind::Uint32 => {
                let value = self.unsigned32(kind)?;
                self.varint_of(u64::from(value))
            }
            Kind::Uint64 => {
                let value = self.unsigned(kind)?;
                self.varint_of(value)
            }
            Kind::Sint32 => {
                let value = self.signed32(kind)?;
                self.varint_of(u64::from(unzigzag32(value)))
            }
            Kind::Sint64 => {
                let value = self.signed(kind)?;
                self.varint_of(unzigzag64(value))
            }
            Kind::Fixed32 => {
                let value = self.unsigned32(kind)?;
                self.fixed32_of(value)
            }
            Kind::Sfixed32 => {
                let value = self.signed32(kind)?;
                self.fixed32_of(value.cast_unsigned())
            }
            Kind::Float => {
                let value = self.float()?;
                self.fixed32_of(value.to_bits())
            }
            Kind::Fixed64 => {
                let value = self.unsigned(kind)?;
                self.fixed64_of(value)
            }
            Kind::Sfixed64 => {
                let value = self.signed(kind)?;
                self.fixed64_of(value.cast_unsigned())
            }
            Kind::Double => {
                let value = self.double()?;
                self.fixed64_of(value.to_bits())
            }
            Kind::Bool => {
                let value = self.boolean()?;
                self.varint_of(u64::from(value))
            }
            Kind::String => self.string_value()?,
            Kind::Bytes => self.bytes_value()?,
            Kind::Enum(index) => match self.enum_value(index)? {
                Some(number) => self.varint_of(i64::from(number).cast_unsigned()),
                None => Written::Nothing,
            },
            // Messages are not scalars: `value` takes them.
            Kind::Message(_) | Kind::Group(_) => Written::Nothing,
        })
    }

    fn varint_of(&mut self, value: u64) -> Written {
        put_varint(self.out, value);
        Written::zero_if(value == 0)
    }

    fn fixed32_of(&mut self, bits: u32) -> Written {
        self.out.extend_from_slice(&bits.to_le_bytes());
        Written::zero_if(bits == 0)
    }

    fn fixed64_of(&mut self, bits: u64) -> Written {
        self.out.extend_from_slice(&bits.to_le_bytes());
        Written::zero_if(bits == 0)
    }

    fn boolean(&mut self) -> Step<bool> {
        if self.accept_literal(b"true") {
            Ok(true)
        } else if self.accept_literal(b"false") {
            Ok(false)
        } else {
            Err(self.invalid_for(Kind::Bool, self.at))
        }
    }

    #[inline]
    fn string_value(&mut self) -> Step<Written> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid_for(Kind::String, self.at));
        }
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = plain_prefix(rest);
        if rest.get(length) != Some(&b'"') {
            return self.escaped_string_value();
        }
        let bytes = rest.get(..length).unwrap_or_default();
        if !is_utf8(bytes) {
            return Err(self.invalid_utf8(self.at + 1, bytes));
        }
        self.at += length + 2;
        if length >= LONG {
            self.make_room(length);
        }
        self.length_delimited(bytes);
        Ok(Written::zero_if(length == 0))
    }

    /// As [`string_value`](Self::string_value), resolving escapes while it is copied.
    #[inline(never)]
    fn escaped_string_value(&mut self) -> Step<Written> {
        // Where a string is long, it is most of the document: then the length has its place from the beginning.
        let mark = begin_length_like(self.out, self.text.len() - self.at);
        let start = self.out.len();
        self.unescaped_string(start)?;
        let length = self.out.len() - start;
        end_length_like(self.out, mark);
        Ok(Written::zero_if(length == 0))
    }

    pub(super) fn length_delimited(&mut self, bytes: &[u8]) {
        put_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn bytes_value(&mut self) -> Step<Written> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid_for(Kind::Bytes, self.at));
        }
        let start = self.at;
        let rest = self.text.get(start + 1..).unwrap_or_default();
        let length = plain_prefix(rest);
        let (text, behind) = rest.split_at(length);
        let valid = if behind.first() == Some(&b'"') {
            self.at += length + 2;
            if length >= LONG {
                self.make_room(base64::decoded_length(text));
            }
            put_varint(self.out, base64::decoded_length(text) as u64);
            base64::decode(text, self.out)
        } else {
            self.escaped_base64()?
        };
        if !valid {
            let kind = FromJsonErrorKind::InvalidValue {
                expected: "base64".to_owned(),
                found: "a string that is not".to_owned(),
            };
            return Err(FromJsonError::new(kind, start));
        }
        Ok(Written::zero_if(length == 0))
    }

    /// Some encoders escape the slashes.
    #[inline(never)]
    fn escaped_base64(&mut self) -> Step<bool> {
        let mark = begin_length_like(self.out, self.text.len() - self.at);
        let start = self.out.len();
        self.unescaped_string(start)?;
        let valid = base64::decode_in_place(self.out, start);
        end_length_like(self.out, mark);
        Ok(valid)
    }
}
