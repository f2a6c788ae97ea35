//! `Struct`, `Value` and `ListValue`: JSON in a message.

use std::ops::Range;

use super::entries::{Entry, Marks, with_pieces};
use super::writer::{Span, Step, Stop, Writer};
use crate::append::NOTHING;
use crate::decimal::put_double;
use crate::error::ToJsonErrorKind;
use crate::table::Kind;
use crate::wire::{FIXED64, LENGTH_DELIMITED, Reader, VARINT};

const NULL: u32 = 1;
const NUMBER: u32 = 2;
const STRING: u32 = 3;
const BOOL: u32 = 4;
const STRUCT: u32 = 5;
const LIST: u32 = 6;

/// The member of the oneof that was set last.
struct Member<'a> {
    number: u32,
    value: Reader<'a>,
    /// Of a struct or list, where it was set more than once in sequence.
    earlier: Vec<Reader<'a>>,
}

impl<'a> Writer<'a> {
    pub(super) fn value_of_struct(&mut self, pieces: &[Range<usize>], depth: u32) -> Step {
        let offset = pieces.first().map_or(0, |piece| piece.start);
        let Some(mut member) = self.member(pieces)? else {
            return Err(Stop::new(
                ToJsonErrorKind::WellKnownType("a google.protobuf.Value without a value"),
                offset,
            ));
        };
        match member.number {
            NUMBER => {
                let number = f64::from_bits(member.value.fixed64()?);
                if !number.is_finite() {
                    let text = "a google.protobuf.Value that is not a finite number";
                    return Err(Stop::new(ToJsonErrorKind::WellKnownType(text), offset));
                }
                put_double::<NOTHING>(&mut self.out, number);
                Ok(())
            }
            STRING => self.string::<NOTHING>(&mut member.value).map(drop),
            BOOL => self.scalar::<NOTHING>(Kind::Bool, &mut member.value).map(drop),
            STRUCT | LIST => {
                let depth = self.deeper(depth, offset)?;
                with_pieces(&member.earlier, member.value, |pieces| {
                    if member.number == STRUCT {
                        self.struct_object(pieces, depth)
                    } else {
                        self.list_value(pieces, depth)
                    }
                })
            }
            _ => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
        }
    }

    fn member(&self, pieces: &[Range<usize>]) -> Step<Option<Member<'a>>> {
        let mut found: Option<Member<'a>> = None;
        self.scan(pieces, |number, wire_type, reader| {
            let expected = match number {
                NULL | BOOL => VARINT,
                NUMBER => FIXED64,
                STRING | STRUCT | LIST => LENGTH_DELIMITED,
                _ => return Ok(false),
            };
            if wire_type == expected {
                match &mut found {
                    Some(member) if member.number == number && number >= STRUCT => {
                        member.earlier.push(std::mem::replace(&mut member.value, *reader));
                    }
                    found => *found = Some(Member { number, value: *reader, earlier: Vec::new() }),
                }
            }
            Ok(false)
        })?;
        Ok(found)
    }

    pub(super) fn struct_object(&mut self, pieces: &[Range<usize>], depth: u32) -> Step {
        self.out.push(b'{');
        let first_span = self.spans.len();
        let mut marks = Marks::default();
        for piece in pieces {
            let mut reader = Reader::within(self.input, piece);
            while !reader.is_at_end() {
                match reader.tag()? {
                    (1, LENGTH_DELIMITED) => {
                        let entry = reader.payload()?;
                        self.struct_entry(&entry, depth)?;
                        if let Some(span) = self.spans.last() {
                            marks.add(&self.out, span);
                        }
                    }
                    (number, wire_type) => reader.skip(number, wire_type)?,
                }
            }
        }
        self.close_entries(first_span, marks);
        self.close(b'}');
        Ok(())
    }

    fn struct_entry(&mut self, range: &Range<usize>, depth: u32) -> Step {
        let entry = Entry::read(self.input, range, LENGTH_DELIMITED, LENGTH_DELIMITED)?;
        let start = self.out.len();
        match entry.key {
            Some(mut reader) => self.map_key(Kind::String, &mut reader)?,
            None => self.default_key(Kind::String),
        }
        let key_end = self.out.len() - 1;
        entry
            .with_value_pieces(range.start, |pieces| self.nested_value(pieces, depth))
            .map_err(|stop| self.within_key(stop, start..key_end))?;
        self.out.push(b',');
        self.spans.push(Span { start, key_end });
        Ok(())
    }

    fn nested_value(&mut self, pieces: &[Range<usize>], depth: u32) -> Step {
        let depth = self.deeper(depth, pieces.first().map_or(0, |piece| piece.start))?;
        self.value_of_struct(pieces, depth)
    }

    pub(super) fn list_value(&mut self, pieces: &[Range<usize>], depth: u32) -> Step {
        self.out.push(b'[');
        let mut count = 0;
        for piece in pieces {
            let mut reader = Reader::within(self.input, piece);
            while !reader.is_at_end() {
                match reader.tag()? {
                    (1, LENGTH_DELIMITED) => {
                        let element = reader.payload()?;
                        self.nested_value(std::slice::from_ref(&element), depth)
                            .map_err(|stop| stop.within_index(count))?;
                        self.out.push(b',');
                        count += 1;
                    }
                    (number, wire_type) => reader.skip(number, wire_type)?,
                }
            }
        }
        self.close(b']');
        Ok(())
    }
}
