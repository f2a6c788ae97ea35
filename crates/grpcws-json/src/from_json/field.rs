//! Fields: singular, repeated, map.

use super::number::{signed, signed32, unsigned32};
use super::parser::{Parser, Step};
use super::scalar::Written;
use super::seen::Seen;
use crate::path::Segment;
use crate::table::{Cardinality, Field, Kind, MessageType};
use crate::wire::{END_GROUP, LENGTH_DELIMITED, begin_length, end_length, put_tag, put_varint};

impl<'a> Parser<'a> {
    /// Reads the value of a member. `null` is the same as no member, except where it is a value of the type.
    #[inline]
    pub(super) fn field(
        &mut self,
        message: &MessageType,
        field: &'a Field,
        key_at: usize,
        seen: &mut Seen,
        depth: u32,
    ) -> Step {
        let singular = field.cardinality == Cardinality::Singular;
        if self.peek() == Some(b'n') && !(singular && field.null_is_value) && self.accept_null() {
            return Ok(());
        }
        match field.cardinality {
            Cardinality::Singular => {
                self.check_oneof(message, field, key_at, seen)?;
                self.singular(field, depth)
            }
            Cardinality::Repeated => self.array(field, depth),
            Cardinality::Map => self.map(field, depth),
        }
    }

    /// The same for a field that is not a member of a message. It is apart from [`field`](Self::field), which is part of
    /// the loop over members for as long as nothing else calls it: a call for each costs 2 % of all.
    #[inline(never)]
    pub(super) fn field_alone(&mut self, field: &'a Field, depth: u32) -> Step {
        let singular = field.cardinality == Cardinality::Singular;
        if self.peek() == Some(b'n') && !(singular && field.null_is_value) && self.accept_null() {
            return Ok(());
        }
        match field.cardinality {
            Cardinality::Singular => self.singular(field, depth),
            Cardinality::Repeated => self.array(field, depth),
            Cardinality::Map => self.map(field, depth),
        }
    }

    #[inline]
    fn singular(&mut self, field: &'a Field, depth: u32) -> Step {
        let before = self.out.len();
        match self.tagged_value(field, depth)? {
            Written::Value => {}
            Written::Zero if !field.implicit => {}
            Written::Zero | Written::Nothing => self.out.truncate(before),
        }
        Ok(())
    }

    /// Reads a value and writes it behind its tag.
    #[inline]
    pub(super) fn tagged_value(&mut self, field: &'a Field, depth: u32) -> Step<Written> {
        put_tag(self.out, field.number, field.wire_type);
        match field.kind {
            Kind::Message(index) => {
                let mark = begin_length(self.out);
                self.message(index, depth)?;
                end_length(self.out, mark);
                Ok(Written::Value)
            }
            Kind::Group(index) => {
                self.message(index, depth)?;
                put_tag(self.out, field.number, END_GROUP);
                Ok(Written::Value)
            }
            kind => self.scalar(kind),
        }
    }

    fn array(&mut self, field: &'a Field, depth: u32) -> Step {
        if !self.accept(b'[') {
            return Err(self.invalid("an array", self.at));
        }
        if self.accept(b']') {
            return Ok(());
        }
        if !field.packed {
            return self.elements(|parser| {
                let before = parser.out.len();
                if parser.tagged_value(field, depth)? == Written::Nothing {
                    parser.out.truncate(before);
                }
                Ok(())
            });
        }
        let before = self.out.len();
        put_tag(self.out, field.number, LENGTH_DELIMITED);
        let mark = begin_length(self.out);
        self.packed(field.kind)?;
        if self.out.len() == mark {
            self.out.truncate(before);
        } else {
            end_length(self.out, mark);
        }
        Ok(())
    }

    /// Reads the elements of an array of numbers: one loop for each of the types that are read most.
    fn packed(&mut self, kind: Kind) -> Step {
        match kind {
            Kind::Int32 => self.elements(|parser| {
                let value = parser.integer(kind, signed32)?;
                put_varint(parser.out, i64::from(value).cast_unsigned());
                Ok(())
            }),
            Kind::Int64 => self.elements(|parser| {
                let value = parser.integer(kind, signed)?;
                put_varint(parser.out, value.cast_unsigned());
                Ok(())
            }),
            Kind::Uint32 => self.elements(|parser| {
                let value = parser.integer(kind, unsigned32)?;
                put_varint(parser.out, u64::from(value));
                Ok(())
            }),
            Kind::Double => self.elements(|parser| {
                let value = parser.double()?;
                parser.out.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }),
            Kind::Float => self.elements(|parser| {
                let value = parser.float()?;
                parser.out.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }),
            _ => self.elements(|parser| parser.scalar(kind).map(drop)),
        }
    }

    #[inline]
    fn elements(&mut self, mut element: impl FnMut(&mut Self) -> Step) -> Step {
        let mut index = 0;
        loop {
            self.make_room(0);
            element(self).map_err(|error| error.within(Segment::Index(index)))?;
            index += 1;
            if !self.another_element()? {
                return Ok(());
            }
        }
    }
}
