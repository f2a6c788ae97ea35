//! Numbers, booleans, bytes and enum values.

#![expect(clippy::cast_possible_truncation, reason = "32-bit types are the low bits of their varint")]

use super::writer::{Step, Writer};
use crate::base64;
use crate::table::Kind;
use crate::wire::{Reader, zigzag32, zigzag64};

impl<'a> Writer<'a> {
    /// Prints a value that is not a message; tells whether it is the zero of its type.
    #[inline]
    pub(super) fn scalar(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step<bool> {
        Ok(match kind {
            Kind::Int32 => self.int32((reader.varint()? as u32).cast_signed()),
            Kind::Sint32 => self.int32(zigzag32(reader.varint()? as u32)),
            Kind::Sfixed32 => self.int32(reader.fixed32()?.cast_signed()),
            Kind::Uint32 => self.uint32(reader.varint()? as u32),
            Kind::Fixed32 => self.uint32(reader.fixed32()?),
            Kind::Int64 => self.int64(reader.varint()?.cast_signed()),
            Kind::Sint64 => self.int64(zigzag64(reader.varint()?)),
            Kind::Sfixed64 => self.int64(reader.fixed64()?.cast_signed()),
            Kind::Uint64 => self.uint64(reader.varint()?),
            Kind::Fixed64 => self.uint64(reader.fixed64()?),
            Kind::Double => {
                let bits = reader.fixed64()?;
                put_double(self.out, f64::from_bits(bits));
                bits == 0
            }
            Kind::Float => {
                let bits = reader.fixed32()?;
                put_float(self.out, f32::from_bits(bits));
                bits == 0
            }
            Kind::Bool => {
                let value = reader.varint()? != 0;
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
                !value
            }
            Kind::String => self.string(reader)?,
            Kind::Bytes => {
                let bytes = reader.bytes()?;
                self.out.push(b'"');
                base64::encode(bytes, self.out);
                self.out.push(b'"');
                bytes.is_empty()
            }
            Kind::Enum(index) => {
                let number = (reader.varint()? as u32).cast_signed();
                self.enum_value(index, number);
                number == 0
            }
            // Messages are not scalars: `value` takes them.
            Kind::Message(_) | Kind::Group(_) => false,
        })
    }

    fn int32(&mut self, value: i32) -> bool {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        value == 0
    }

    fn uint32(&mut self, value: u32) -> bool {
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        value == 0
    }

    fn int64(&mut self, value: i64) -> bool {
        self.quoted(itoa::Buffer::new().format(value));
        value == 0
    }

    fn uint64(&mut self, value: u64) -> bool {
        self.quoted(itoa::Buffer::new().format(value));
        value == 0
    }

    fn quoted(&mut self, text: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    /// Prints the name; the number where there is none, or where the options ask for it.
    pub(super) fn enum_value(&mut self, index: u32, number: i32) {
        let found = self.table.enum_of(index);
        if found.null_value {
            self.out.extend_from_slice(b"null");
            return;
        }
        let name = if self.enum_numbers { None } else { found.quoted_name(number) };
        match name {
            Some(name) => self.out.extend_from_slice(name),
            None => self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
        }
    }
}

pub(super) fn put_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        put_shortest(out, zmij::Buffer::new().format_finite(value));
    } else {
        put_special(out, value.is_nan(), value.is_sign_negative());
    }
}

fn put_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        put_shortest(out, zmij::Buffer::new().format_finite(value));
    } else {
        put_special(out, value.is_nan(), value.is_sign_negative());
    }
}

/// `1.0` is printed as `1`.
fn put_shortest(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

#[cold]
fn put_special(out: &mut Vec<u8>, nan: bool, negative: bool) {
    out.extend_from_slice(match (nan, negative) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"-Infinity\"",
        (false, false) => b"\"Infinity\"",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        put_double(&mut out, value);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn doubles_are_shortest() {
        assert_eq!(double(0.0), "0");
        assert_eq!(double(-0.0), "-0");
        assert_eq!(double(1.5), "1.5");
        assert_eq!(double(100.0), "100");
        assert_eq!(double(f64::NAN), "\"NaN\"");
        assert_eq!(double(f64::INFINITY), "\"Infinity\"");
        assert_eq!(double(f64::NEG_INFINITY), "\"-Infinity\"");
        for value in [1e300, 5e-324, f64::MAX, 0.1 + 0.2, 1e21, 1e-7, 123_456_789_012_345_680.0] {
            assert_eq!(double(value).parse(), Ok(value), "{}", double(value));
        }
    }

    #[test]
    fn floats_are_shortest_in_their_own_precision() {
        let mut out = Vec::new();
        put_float(&mut out, 0.1);
        assert_eq!(out, b"0.1");
    }
}
