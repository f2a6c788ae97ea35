//! Packed numbers: one loop for each type.

#![expect(clippy::cast_possible_truncation, reason = "32-bit types are the low bits of their varint")]

use super::writer::{Step, Stop, Writer};
use crate::append::COMMA;
use crate::decimal::{put_delayed, put_double_behind, put_float};
use crate::digits::{put_signed, put_unsigned};
use crate::table::Kind;
use crate::wire::{Malformed, Reader, zigzag32, zigzag64};

impl<'a> Writer<'a> {
    /// Prints numbers to the end of the reader, each with a comma behind it.
    pub(super) fn packed(&mut self, kind: Kind, packed: &mut Reader<'a>, count: &mut usize) -> Step {
        match kind {
            Kind::Int32 => self.each(packed, count, |out, reader| {
                put_signed::<false, COMMA>(out, i64::from((reader.varint()? as u32).cast_signed()));
                Ok(())
            }),
            Kind::Int64 => self.each(packed, count, |out, reader| {
                put_signed::<true, COMMA>(out, reader.varint()?.cast_signed());
                Ok(())
            }),
            Kind::Uint32 => self.each(packed, count, |out, reader| {
                put_unsigned::<false, COMMA>(out, u64::from(reader.varint()? as u32));
                Ok(())
            }),
            Kind::Uint64 => self.each(packed, count, |out, reader| {
                put_unsigned::<true, COMMA>(out, reader.varint()?);
                Ok(())
            }),
            Kind::Sint32 => self.each(packed, count, |out, reader| {
                put_signed::<false, COMMA>(out, i64::from(zigzag32(reader.varint()? as u32)));
                Ok(())
            }),
            Kind::Sint64 => self.each(packed, count, |out, reader| {
                put_signed::<true, COMMA>(out, zigzag64(reader.varint()?));
                Ok(())
            }),
            Kind::Double => self.doubles(packed, count),
            Kind::Float => self.each(packed, count, |out, reader| {
                put_float::<COMMA>(out, f32::from_bits(reader.fixed32()?));
                Ok(())
            }),
            kind => self.each_scalar(kind, packed, count),
        }
    }

    /// Prints doubles, each of many digits when the next one is made.
    fn doubles(&mut self, packed: &mut Reader<'a>, count: &mut usize) -> Step {
        let (mut one, mut other) = (zmij::Buffer::new(), zmij::Buffer::new());
        let mut last = "";
        while !packed.is_at_end() {
            self.make_room(0, packed.position())?;
            let value = f64::from_bits(packed.fixed64().map_err(|malformed| at(malformed, *count))?);
            let first = put_double_behind(&mut self.out, last, &mut one, value);
            *count += 1;
            last = "";
            if packed.is_at_end() {
                put_delayed(&mut self.out, first);
                break;
            }
            let value = f64::from_bits(packed.fixed64().map_err(|malformed| at(malformed, *count))?);
            last = put_double_behind(&mut self.out, first, &mut other, value);
            *count += 1;
        }
        put_delayed(&mut self.out, last);
        Ok(())
    }

    #[inline]
    fn each(
        &mut self,
        packed: &mut Reader<'a>,
        count: &mut usize,
        mut print: impl FnMut(&mut Vec<u8>, &mut Reader<'a>) -> Result<(), Malformed>,
    ) -> Step {
        while !packed.is_at_end() {
            self.make_room(0, packed.position())?;
            print(&mut self.out, packed).map_err(|malformed| at(malformed, *count))?;
            *count += 1;
        }
        Ok(())
    }

    fn each_scalar(&mut self, kind: Kind, packed: &mut Reader<'a>, count: &mut usize) -> Step {
        while !packed.is_at_end() {
            self.make_room(0, packed.position())?;
            if let Err(stop) = self.scalar::<COMMA>(kind, packed) {
                return Err(stop.within_index(*count));
            }
            *count += 1;
        }
        Ok(())
    }
}

#[cold]
fn at(malformed: Malformed, index: usize) -> Stop {
    Stop::from(malformed).within_index(index)
}
