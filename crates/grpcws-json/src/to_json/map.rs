//! Maps: entries are printed in the order of the wire; of several entries with one key the last one stays.

use std::ops::Range;

use super::entries::{Entry, Marks};
use super::scalar::Number;
use super::writer::{Span, Step, Stop, Unpopulated, Writer};
use crate::append::{COLON, COMMA};
use crate::decimal::put_double;
use crate::digits::put_integer;
use crate::path::{Segment, shortened};
use crate::table::{Field, Kind};
use crate::wire::{LENGTH_DELIMITED, Reader};

/// A map that is being printed.
pub(super) struct OpenMap<'a> {
    /// The fields of an entry.
    key: &'a Field,
    value: &'a Field,
    /// Where the map's key begins in the output.
    before: usize,
    /// Where its entries begin in the list of spans.
    first_span: usize,
    /// What tells the keys so far apart, if anything does.
    marks: Marks,
}

/// From this many entries on, a map whose keys ascend is taken to go on like that, and nothing is noted of its entries.
const MANY: usize = 4096;

impl<'a> Writer<'a> {
    #[inline(never)]
    pub(super) fn map_in_order(
        &mut self,
        field: &'a Field,
        reader: &mut Reader<'a>,
        mut wire_type: u8,
        depth: u32,
    ) -> Step {
        let mut map = self.open_map(field);
        let mut order = None;
        loop {
            self.make_room(0, reader.position())?;
            if wire_type == LENGTH_DELIMITED {
                let entry = reader.payload()?;
                self.map_entry(&mut map, entry, depth)?;
                if order.is_some() || self.spans.len() - map.first_span == MANY {
                    order = self.forget_ascending(map.first_span, order)?;
                }
            } else {
                reader.skip(field.number, wire_type)?;
            }
            match reader.tag_if(field)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        if order.is_some() {
            self.spans.truncate(map.first_span);
        }
        self.close_map(&map);
        Ok(())
    }

    #[inline(always)]
    pub(super) fn open_map(&mut self, field: &'a Field) -> OpenMap<'a> {
        let (before, first_span) = (self.out.len(), self.spans.len());
        self.key(field);
        self.out.push(b'{');
        let (key, value) = self.table.entry_fields(field);
        OpenMap { key, value, before, first_span, marks: Marks::default() }
    }

    #[inline(always)]
    pub(super) fn close_map(&mut self, map: &OpenMap<'a>) {
        let empty = self.out.last() == Some(&b'{');
        if empty && self.unpopulated == Unpopulated::Omit {
            self.out.truncate(map.before);
            return;
        }
        self.close_entries(map.first_span, map.marks);
        self.close(b'}');
        self.out.push(b',');
    }

    #[inline(always)]
    pub(super) fn map_entry(&mut self, map: &mut OpenMap<'a>, range: Range<usize>, depth: u32) -> Step {
        let printed = self.canonical_entry(map, &range, depth)?;
        if !printed && !self.any_entry(map, range, depth)? {
            return Ok(());
        }
        if let Some(span) = self.spans.last() {
            map.marks.add(&self.out, span);
        }
        Ok(())
    }

    /// Prints an entry that is a key and behind it a value, as encoders write it; `false` and nothing printed where it is not.
    #[inline(always)]
    fn canonical_entry(&mut self, map: &OpenMap<'a>, range: &Range<usize>, depth: u32) -> Step<bool> {
        let mut reader = Reader::within(self.input, range);
        if !reader.accept_byte(map.key.tag_byte) {
            return Ok(false);
        }
        let start = self.out.len();
        self.map_key(map.key.kind, &mut reader)?;
        let key_end = self.out.len() - 1;
        if !reader.accept_byte(map.value.tag_byte) {
            self.out.truncate(start);
            return Ok(false);
        }
        match self.value_at_end(map.value, &mut reader, depth) {
            Ok(true) => {}
            Ok(false) => {
                self.out.truncate(start);
                return Ok(false);
            }
            Err(stop) => return Err(self.within_key(stop, start..key_end)),
        }
        self.spans.push(Span { start, key_end });
        Ok(true)
    }

    /// Prints a value and a comma if there is nothing behind it; `false` and nothing printed otherwise. That is looked at
    /// first, so that an error in the value is not that of one that does not count.
    #[inline(always)]
    fn value_at_end(&mut self, value: &'a Field, reader: &mut Reader<'a>, depth: u32) -> Step<bool> {
        match value.kind {
            Kind::String => match reader.last_payload() {
                Some(payload) => self.string_at::<COMMA>(&payload)?,
                None => return Ok(false),
            },
            Kind::Message(index) => match reader.last_payload() {
                Some(payload) => {
                    self.nested(index, &payload, depth)?;
                    self.out.push(b',');
                }
                None => return Ok(false),
            },
            _ if !reader.is_last(value.wire_type) => return Ok(false),
            Kind::Double => put_double::<COMMA>(&mut self.out, f64::from_bits(reader.fixed64()?)),
            _ => self.value(value, reader, depth).map(drop)?,
        }
        Ok(true)
    }

    /// Prints any entry; `false` and nothing printed where its value is unknown.
    #[inline(never)]
    fn any_entry(&mut self, map: &OpenMap<'a>, range: Range<usize>, depth: u32) -> Step<bool> {
        let OpenMap { key, value, .. } = *map;
        let entry = Entry::read(self.input, &range, key.wire_type, value.wire_type)?;
        if value.closed_enum
            && let Some(reader) = entry.value
            && !self.is_known_enum_value(value, reader)?
        {
            return Ok(false);
        }
        let start = self.out.len();
        match entry.key {
            Some(mut reader) => self.map_key(key.kind, &mut reader)?,
            None => self.default_key(key.kind),
        }
        let key_end = self.out.len() - 1;
        self.any_entry_value(value, &entry, range.start, depth)
            .map_err(|stop| self.within_key(stop, start..key_end))?;
        self.spans.push(Span { start, key_end });
        Ok(true)
    }

    /// Prints a value and a comma.
    fn any_entry_value(&mut self, value: &'a Field, entry: &Entry<'a>, offset: usize, depth: u32) -> Step {
        let Kind::Message(index) = value.kind else {
            match entry.value {
                Some(mut reader) => self.value(value, &mut reader, depth).map(drop)?,
                None => {
                    self.default_value(value.kind);
                    self.out.push(b',');
                }
            }
            return Ok(());
        };
        entry.with_value_pieces(offset, |pieces| {
            self.message(index, pieces, depth)?;
            self.out.push(b',');
            Ok(())
        })
    }

    /// Prints a key as a string, whatever its type, and a colon.
    #[inline]
    pub(super) fn map_key(&mut self, kind: Kind, reader: &mut Reader<'a>) -> Step {
        match kind {
            Kind::String => return self.string::<COLON>(reader).map(drop),
            Kind::Bool => {
                let text: &[u8] = if reader.varint()? == 0 { b"\"false\":" } else { b"\"true\":" };
                self.out.extend_from_slice(text);
            }
            _ => {
                let Number { negative, magnitude, .. } = Number::read(kind, reader)?.unwrap_or_default();
                put_integer::<true, COLON>(&mut self.out, negative, magnitude);
            }
        }
        Ok(())
    }

    /// Prints the key of an entry that has none, and a colon.
    pub(super) fn default_key(&mut self, kind: Kind) {
        self.out.extend_from_slice(match kind {
            Kind::String => b"\"\":",
            Kind::Bool => b"\"false\":",
            _ => b"\"0\":",
        });
    }

    /// Names the entry whose quoted key is at `key` in the output.
    #[cold]
    pub(super) fn within_key(&self, stop: Stop, key: Range<usize>) -> Stop {
        let quoted = self.out.get(key).unwrap_or_default();
        let text = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        stop.within(|| Segment::Key(shortened(text).into()))
    }
}
