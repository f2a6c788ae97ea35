//! Messages whose fields arrive in the order of their numbers, which is how every canonical encoder writes them.

use std::ops::Range;

use super::writer::{Step, Stop, Unpopulated, Writer};
use crate::append::COMMA;
use crate::table::{Cardinality, Field, Kind, MessageType, NONE, Shape};
use crate::wire::{END_GROUP, LENGTH_DELIMITED, Reader, Reason, VARINT};

/// What a tag is: of a field, with its index and the wire type of the value, of something else, or the end of a group.
enum Next<'a> {
    Field(u32, &'a Field, u8),
    Skipped,
    End,
}

impl<'a> Writer<'a> {
    /// Prints a message whose encoding is the concatenation of `pieces`: more than one where a field that holds a
    /// message comes several times, which means to merge them.
    pub(super) fn message(&mut self, index: u32, pieces: &[Range<usize>], depth: u32) -> Step {
        let depth = self.deeper(depth, pieces.first().map_or(0, |piece| piece.start))?;
        let message = self.table.message_of(index);
        match message.shape {
            Shape::Object => {
                self.out.push(b'{');
                self.fields(message, pieces, depth)?;
                self.close(b'}');
                Ok(())
            }
            shape => self.well_known(shape, pieces, depth),
        }
    }

    /// Prints the members of an object, each with a comma behind it.
    pub(super) fn fields(&mut self, message: &'a MessageType, pieces: &[Range<usize>], depth: u32) -> Step {
        match pieces {
            [piece] if !self.any_order => {
                self.fields_in_order(message, &mut Reader::within(self.input, piece), None, depth)
            }
            pieces => self.fields_in_any_order(message, pieces, depth),
        }
    }

    /// Prints fields to the end of the reader or, in a group, to its end tag.
    fn fields_in_order(
        &mut self,
        message: &'a MessageType,
        reader: &mut Reader<'a>,
        group: Option<u32>,
        depth: u32,
    ) -> Step {
        // The first field that may still come.
        let mut next = 0;
        let mut oneofs = 0_u64;
        let mut ended = group.is_none();
        while !reader.is_at_end() {
            self.make_room(0, reader.position())?;
            let (index, field, wire_type) = match message.fields.get(next as usize) {
                Some(field) if reader.accept_byte(field.tag_byte) => (next, field, field.wire_type),
                _ => match self.other_field(message, reader, next, group)? {
                    Next::Field(index, field, wire_type) => (index, field, wire_type),
                    Next::Skipped => continue,
                    Next::End => {
                        ended = true;
                        break;
                    }
                },
            };
            if field.oneof != NONE {
                // Oneofs beyond the 64th have no bit: such messages are sorted.
                let bit = 1_u64.checked_shl(field.oneof).unwrap_or(0);
                if bit == 0 || oneofs & bit != 0 {
                    return Err(Stop::Disorder);
                }
                oneofs |= bit;
            }
            next = index + 1;
            let result = match field.cardinality {
                Cardinality::Singular => self.singular_inline(field, reader, depth),
                Cardinality::Repeated => self.array_in_order(field, reader, wire_type, depth),
                Cardinality::Map => self.map_in_order(field, reader, wire_type, depth),
            };
            if let Err(stop) = result {
                return Err(stop.within_field(field));
            }
        }
        if !ended {
            return Err(reader.malformed(Reason::Truncated).into());
        }
        self.unpopulated_fields(message, next, NONE);
        Ok(())
    }

    /// Reads the tag of a field that is not the next one of the message, and prints what is not set before it.
    #[inline]
    fn other_field(
        &mut self,
        message: &'a MessageType,
        reader: &mut Reader<'a>,
        next: u32,
        group: Option<u32>,
    ) -> Step<Next<'a>> {
        let start = reader.position();
        let (number, wire_type) = reader.tag()?;
        let found = match message.field_by_number(number) {
            Some(found) if self.accepts(found.1, wire_type, reader)? => Some(found),
            _ => None,
        };
        let Some((index, field)) = found else {
            if ends_or_skips(start, reader, group)? {
                return Ok(Next::End);
            }
            self.note_extension(message, number);
            return Ok(Next::Skipped);
        };
        if index < next {
            return Err(Stop::Disorder);
        }
        self.unpopulated_fields(message, next, index);
        Ok(Next::Field(index, field, wire_type))
    }

    /// Notes a field that the table does not have, where its number is one for extensions.
    #[cold]
    #[inline(never)]
    pub(super) fn note_extension(&mut self, message: &MessageType, number: u32) {
        if let Some(missing) = &mut self.missing
            && message.is_for_extensions(number)
            && message.field_by_number(number).is_none()
        {
            missing.note_extension(&message.full_name, number);
        }
    }

    /// Whether a record is a value of the field; those of another wire type, and numbers that a closed enum does
    /// not have, are unknown fields.
    #[inline]
    pub(super) fn accepts(&self, field: &Field, wire_type: u8, reader: &Reader<'a>) -> Step<bool> {
        if wire_type != field.wire_type {
            let packed = wire_type == LENGTH_DELIMITED && field.kind.is_packable();
            return Ok(packed && field.cardinality == Cardinality::Repeated);
        }
        if field.closed_enum { self.is_known_enum_value(field, *reader) } else { Ok(true) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "an enum value is the low 32 bits of its varint")]
    pub(super) fn is_known_enum_value(&self, field: &Field, mut reader: Reader<'a>) -> Step<bool> {
        let Kind::Enum(index) = field.kind else {
            return Ok(true);
        };
        let number = (reader.varint()? as u32).cast_signed();
        Ok(self.table.enum_of(index).quoted_name(number).is_some())
    }

    /// Prints a field that has one value; the reader is behind its tag.
    pub(super) fn singular(&mut self, field: &'a Field, reader: &mut Reader<'a>, depth: u32) -> Step {
        self.singular_inline(field, reader, depth)
    }

    /// As [`singular`](Self::singular), for the loop over the fields, where a call for each would be most of the work.
    #[inline(always)]
    fn singular_inline(&mut self, field: &'a Field, reader: &mut Reader<'a>, depth: u32) -> Step {
        let before = self.out.len();
        self.key(field);
        let zero = match field.kind {
            Kind::Message(_) | Kind::Group(_) => self.value(field, reader, depth)?,
            kind => self.scalar_inline::<COMMA>(kind, reader)?,
        };
        if zero && field.implicit && self.unpopulated == Unpopulated::Omit {
            self.out.truncate(before);
        }
        Ok(())
    }

    /// Prints a value and a comma; tells whether it is the zero of its type.
    pub(super) fn value(&mut self, field: &'a Field, reader: &mut Reader<'a>, depth: u32) -> Step<bool> {
        match field.kind {
            Kind::Message(index) => {
                let payload = reader.payload()?;
                self.nested(index, &payload, depth)?;
                self.out.push(b',');
                Ok(false)
            }
            Kind::Group(index) => {
                self.group(index, field.number, reader, depth)?;
                self.out.push(b',');
                Ok(false)
            }
            kind => self.scalar::<COMMA>(kind, reader),
        }
    }

    /// Prints a message that is in one piece.
    #[inline(always)]
    pub(super) fn nested(&mut self, index: u32, payload: &Range<usize>, depth: u32) -> Step {
        let message = self.table.message_of(index);
        if self.any_order || message.shape != Shape::Object {
            return self.message(index, std::slice::from_ref(payload), depth);
        }
        let depth = self.deeper(depth, payload.start)?;
        self.out.push(b'{');
        self.fields_in_order(message, &mut Reader::within(self.input, payload), None, depth)?;
        self.close(b'}');
        Ok(())
    }

    fn group(&mut self, index: u32, number: u32, reader: &mut Reader<'a>, depth: u32) -> Step {
        let message = self.table.message_of(index);
        if self.any_order || message.shape != Shape::Object {
            let content = reader.group(number)?;
            return self.message(index, std::slice::from_ref(&content), depth);
        }
        let depth = self.deeper(depth, reader.position())?;
        self.out.push(b'{');
        self.fields_in_order(message, reader, Some(number), depth)?;
        self.close(b'}');
        Ok(())
    }

    #[inline(never)]
    fn array_in_order(
        &mut self,
        field: &'a Field,
        reader: &mut Reader<'a>,
        mut wire_type: u8,
        depth: u32,
    ) -> Step {
        let before = self.out.len();
        self.key(field);
        self.out.push(b'[');
        let mut count = 0;
        loop {
            self.make_room(0, reader.position())?;
            self.elements(field, reader, wire_type, &mut count, depth)?;
            match reader.tag_if(field)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        self.close_array(before, count);
        Ok(())
    }

    /// Prints the elements of one record: one, or as many as are packed in it.
    pub(super) fn elements(
        &mut self,
        field: &'a Field,
        reader: &mut Reader<'a>,
        wire_type: u8,
        count: &mut usize,
        depth: u32,
    ) -> Step {
        if wire_type == field.wire_type {
            return self.element(field, reader, count, depth);
        }
        if wire_type != LENGTH_DELIMITED || !field.kind.is_packable() {
            return Ok(reader.skip(field.number, wire_type)?);
        }
        let payload = reader.payload()?;
        let mut packed = reader.narrowed(&payload);
        if !field.closed_enum {
            return self.packed(field.kind, &mut packed, count);
        }
        while !packed.is_at_end() {
            self.make_room(0, packed.position())?;
            self.element(field, &mut packed, count, depth)?;
        }
        Ok(())
    }

    #[inline]
    fn element(&mut self, field: &'a Field, reader: &mut Reader<'a>, count: &mut usize, depth: u32) -> Step {
        if field.closed_enum && !self.is_known_enum_value(field, *reader)? {
            return Ok(reader.skip(field.number, VARINT)?);
        }
        if let Err(stop) = self.value(field, reader, depth) {
            return Err(stop.within_index(*count));
        }
        *count += 1;
        Ok(())
    }

    /// Ends an array that began at `before`, or takes it back where nothing is in it.
    pub(super) fn close_array(&mut self, before: usize, count: usize) {
        if count == 0 && self.unpopulated == Unpopulated::Omit {
            self.out.truncate(before);
            return;
        }
        self.close(b']');
        self.out.push(b',');
    }
}

/// Takes what is not a field of the message, at `start`: `true` where it is the end of the group.
#[cold]
fn ends_or_skips(start: usize, reader: &mut Reader<'_>, group: Option<u32>) -> Step<bool> {
    let mut ahead = reader.at(start);
    let (number, wire_type) = ahead.tag()?;
    if wire_type == END_GROUP {
        if group != Some(number) {
            return Err(reader.at(start).malformed(Reason::Group).into());
        }
        *reader = ahead;
        return Ok(true);
    }
    ahead.skip(number, wire_type)?;
    *reader = ahead;
    Ok(false)
}
