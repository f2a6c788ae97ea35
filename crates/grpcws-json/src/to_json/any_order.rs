//! Messages whose fields are in any order, or set more than once: the records are sorted by field, and within one
//! field keep their order, so that the last value wins, messages merge and elements stay in sequence.

use std::ops::Range;

use super::writer::{Step, Writer};
use crate::missing::MOST;
use crate::table::{Cardinality, Field, Kind, MessageType, NONE};
use crate::wire::{LENGTH_DELIMITED, Reader};

/// A value on the wire, which a reader at `start` reads; in two words, since there may be many.
struct Record {
    /// Index of the field in its message.
    field: u32,
    wire_type: u8,
    /// Behind the tag.
    start: usize,
}

/// Which member of a oneof was set last, and from which record on without another between.
#[derive(Clone, Copy)]
struct Chosen {
    field: u32,
    since: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn fields_in_any_order(
        &mut self,
        message: &'a MessageType,
        pieces: &[Range<usize>],
        depth: u32,
    ) -> Step {
        let mut records = self.records(message, pieces)?;
        // The order on the wire is kept within a field, and no buffer is needed for sorting.
        records.sort_unstable_by_key(|record| (record.field, record.start));
        let mut next = 0;
        for same in records.chunk_by(|first, second| first.field == second.field) {
            let Some(record) = same.first() else { continue };
            let Some(field) = message.fields.get(record.field as usize) else {
                continue;
            };
            self.unpopulated_fields(message, next, record.field);
            next = record.field + 1;
            self.field_of_records(field, same, depth)?;
        }
        self.unpopulated_fields(message, next, NONE);
        Ok(())
    }

    /// Prints the value of one field of the outermost message, without a key.
    pub(super) fn outermost_field(&mut self, message: u32, index: u32) -> Step {
        let depth = self.deeper(self.recursion_limit(), 0)?;
        let message = self.table.message_of(message);
        let Some(field) = message.fields.get(index as usize) else { return Ok(()) };
        let all = 0..self.input.len();
        let mut records = self.records(message, std::slice::from_ref(&all))?;
        records.retain(|record| record.field == index);
        let start = self.out.len();
        self.key(field);
        let key_length = self.out.len() - start;
        self.out.truncate(start);
        if !records.is_empty() {
            self.field_of_records(field, &records, depth)?;
        }
        if self.out.len() == start {
            self.value_of_unset(field);
        } else {
            self.out.drain(start..start + key_length);
            // The comma behind it.
            self.out.pop();
        }
        self.make_room(0, self.input.len())
    }

    /// Prints a field of which these are all records, with its key and a comma behind it.
    fn field_of_records(&mut self, field: &'a Field, records: &[Record], depth: u32) -> Step {
        let result = match (field.cardinality, records.last()) {
            (Cardinality::Singular, Some(last)) => self.last_value(field, last, records, depth),
            (Cardinality::Singular, None) => Ok(()),
            (Cardinality::Repeated, _) => self.array_of_records(field, records, depth),
            (Cardinality::Map, _) => self.map_of_records(field, records, depth),
        };
        result.map_err(|stop| stop.within_field(field))
    }

    /// Records were skipped once, so that each of them lies within the input.
    fn reader_at(&self, record: &Record) -> Reader<'a> {
        Reader::new(self.input).at(record.start)
    }

    fn records(&mut self, message: &MessageType, pieces: &[Range<usize>]) -> Step<Vec<Record>> {
        let mut records = Vec::new();
        let mut unknown = Vec::new();
        let noting = self.missing.is_some();
        let mut chosen = vec![Chosen { field: NONE, since: 0 }; message.oneofs.len()];
        self.scan(pieces, |number, wire_type, reader| {
            let Some((index, field)) = message.field_by_number(number) else {
                if noting
                    && unknown.len() < MOST
                    && message.is_for_extensions(number)
                    && !unknown.contains(&number)
                {
                    unknown.push(number);
                }
                return Ok(false);
            };
            if !self.accepts(field, wire_type, reader)? {
                return Ok(false);
            }
            let start = reader.position();
            reader.skip(number, wire_type)?;
            if let Some(chosen) = chosen.get_mut(field.oneof as usize)
                && chosen.field != index
            {
                *chosen = Chosen { field: index, since: records.len() };
            }
            records.push(Record { field: index, wire_type, start });
            Ok(true)
        })?;
        unknown.into_iter().for_each(|number| self.note_extension(message, number));
        if chosen.iter().any(|chosen| chosen.field != NONE) {
            let mut at = 0;
            records.retain(|record: &Record| {
                let oneof = message.fields.get(record.field as usize).map_or(NONE, |field| field.oneof);
                let kept = chosen
                    .get(oneof as usize)
                    .is_none_or(|chosen| chosen.field == record.field && at >= chosen.since);
                at += 1;
                kept
            });
        }
        Ok(records)
    }

    fn last_value(&mut self, field: &'a Field, record: &Record, same: &[Record], depth: u32) -> Step {
        let (Kind::Message(index) | Kind::Group(index)) = field.kind else {
            return self.singular(field, &mut self.reader_at(record), depth);
        };
        let mut pieces = Vec::with_capacity(same.len());
        for record in same {
            let mut reader = self.reader_at(record);
            pieces.push(match field.kind {
                Kind::Group(_) => reader.group(field.number)?,
                _ => reader.payload()?,
            });
        }
        self.key(field);
        self.message(index, &pieces, depth)?;
        self.out.push(b',');
        Ok(())
    }

    fn array_of_records(&mut self, field: &'a Field, records: &[Record], depth: u32) -> Step {
        let before = self.out.len();
        self.key(field);
        self.out.push(b'[');
        let mut count = 0;
        for record in records {
            let mut reader = self.reader_at(record);
            self.make_room(0, record.start)?;
            self.elements(field, &mut reader, record.wire_type, &mut count, depth)?;
        }
        self.close_array(before, count);
        Ok(())
    }

    #[inline(never)]
    fn map_of_records(&mut self, field: &'a Field, records: &[Record], depth: u32) -> Step {
        let mut map = self.open_map(field);
        for record in records.iter().filter(|record| record.wire_type == LENGTH_DELIMITED) {
            let entry = self.reader_at(record).payload()?;
            self.make_room(0, record.start)?;
            self.map_entry(&mut map, entry, depth)?;
        }
        self.close_map(&map);
        Ok(())
    }
}
