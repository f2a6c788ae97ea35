//! Values that are not messages.

use super::parser::{Parser, Step};
use crate::base64;
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::table::Kind;
use crate::wire::{begin_length, end_length, put_varint, unzigzag32, unzigzag64};

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

    fn string_value(&mut self) -> Step<Written> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid_for(Kind::String, self.at));
        }
        let raw = self.raw_string()?;
        if raw.escaped {
            let mut text = Vec::with_capacity(raw.bytes.len());
            self.unescape(&raw, &mut text)?;
            self.length_delimited(&text);
        } else {
            self.length_delimited(raw.bytes);
        }
        Ok(Written::zero_if(raw.bytes.is_empty()))
    }

    pub(super) fn length_delimited(&mut self, bytes: &[u8]) {
        put_varint(self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn bytes_value(&mut self) -> Step<Written> {
        if self.peek() != Some(b'"') {
            return Err(self.invalid_for(Kind::Bytes, self.at));
        }
        let start = self.at;
        let text = self.string()?;
        let mark = begin_length(self.out);
        if !base64::decode(&text, self.out) {
            let kind = FromJsonErrorKind::InvalidValue {
                expected: "base64".to_owned(),
                found: "a string that is not".to_owned(),
            };
            return Err(FromJsonError::new(kind, start));
        }
        end_length(self.out, mark);
        Ok(Written::zero_if(text.is_empty()))
    }
}
