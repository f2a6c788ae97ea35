//! Maps: entries are printed in the order of the wire; of several entries with one key the last one stays.

use std::ops::Range;

use super::entries::Entry;
use super::string::{make_room_for_string, put_start_as_string};
use super::writer::{Span, Step, Stop, Unpopulated, Writer};
use crate::error::ToJsonErrorKind;
use crate::path::{Segment, shortened};
use crate::room::{LONG, make_room};
use crate::table::{Field, Kind};
use crate::wire::{LENGTH_DELIMITED, Reader};

/// A map that is being printed.
#[derive(Clone, Copy)]
pub(super) struct OpenMap {
    /// Where its key begins in the output.
    before: usize,
    /// Where its entries begin in the list of spans.
    pub(super) first_span: usize,
}

/// From this many entries on, a map whose keys ascend is taken to go on like that, and nothing is noted of its entries.
const MANY: usize = 4096;

impl<'a> Writer<'a> {
    pub(super) fn map_in_order(
        &mut self,
        field: &'a Field,
        reader: &mut Reader<'a>,
        mut wire_type: u8,
        depth: u32,
    ) -> Step {
        let map = self.open_map(field);
        let mut order = None;
        loop {
            make_room(&mut self.out, 0, reader.position(), self.input.len());
            if wire_type == LENGTH_DELIMITED {
                let entry = reader.payload()?;
                self.map_entry(field, entry, depth)?;
                if order.is_some() || self.spans.len() - map.first_span == MANY {
                    order = self.forget_ascending(map.first_span, order)?;
                }
            } else {
                reader.skip(field.number, wire_type)?;
            }
            match reader.tag_if(field.number)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        if order.is_some() {
            self.spans.truncate(map.first_span);
        }
        self.close_map(map);
        Ok(())
    }

    pub(super) fn open_map(&mut self, field: &Field) -> OpenMap {
        let map = OpenMap { before: self.out.len(), first_span: self.spans.len() };
        self.key(field);
        self.out.push(b'{');
        map
    }

    pub(super) fn close_map(&mut self, map: OpenMap) {
        let empty = self.out.last() == Some(&b'{');
        if empty && self.unpopulated == Unpopulated::Omit {
            self.out.truncate(map.before);
            return;
        }
        self.drop_superseded(map.first_span);
        self.close(b'}');
        self.out.push(b',');
    }

    pub(super) fn map_entry(&mut self, field: &Field, range: Range<usize>, depth: u32) -> Step {
        let Kind::Message(index) = field.kind else {
            return Ok(());
        };
        let Some((key, value)) = self.table.message_of(index).entry_fields() else {
            return Ok(());
        };
        if !value.closed_enum && self.canonical_entry(key, value, &range, depth)? {
            return Ok(());
        }
        self.any_entry(key, value, range, depth)
    }

    /// Prints an entry that is a key and behind it a value, as encoders write it; `false` and nothing printed where it is not.
    #[inline]
    fn canonical_entry(
        &mut self,
        key: &'a Field,
        value: &'a Field,
        range: &Range<usize>,
        depth: u32,
    ) -> Step<bool> {
        let mut reader = Reader::within(self.input, range);
        if !reader.accept_short_tag(key.tag) {
            return Ok(false);
        }
        let start = self.out.len();
        self.map_key(key.kind, Some(&mut reader))?;
        let key_end = self.out.len();
        if !reader.accept_short_tag(value.tag) {
            self.out.truncate(start);
            return Ok(false);
        }
        self.out.push(b':');
        // What is behind the value is looked at first, so that an error in the value is not that of one that does not count.
        let mut behind = reader;
        behind.skip(value.number, value.wire_type)?;
        if !behind.is_at_end() {
            self.out.truncate(start);
            return Ok(false);
        }
        if let Err(stop) = self.value(value, &mut reader, depth) {
            return Err(self.within_key(stop, start..key_end));
        }
        self.spans.push(Span { start, key_end });
        Ok(true)
    }

    fn any_entry(&mut self, key: &Field, value: &'a Field, range: Range<usize>, depth: u32) -> Step {
        let entry = Entry::read(self.input, &range, key.wire_type, value.wire_type)?;
        if value.closed_enum
            && let Some(reader) = entry.value
            && !self.is_known_enum_value(value, reader)?
        {
            return Ok(());
        }
        let start = self.out.len();
        self.map_key(key.kind, entry.key.clone().as_mut())?;
        let key_end = self.out.len();
        self.out.push(b':');
        self.entry_value(value, &entry, range.start, depth)
            .map_err(|stop| self.within_key(stop, start..key_end))?;
        self.spans.push(Span { start, key_end });
        Ok(())
    }

    /// Prints a value and a comma.
    fn entry_value(&mut self, value: &'a Field, entry: &Entry<'a>, offset: usize, depth: u32) -> Step {
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

    /// Prints a key as a string, whatever its type.
    #[inline]
    pub(super) fn map_key(&mut self, kind: Kind, reader: Option<&mut Reader<'a>>) -> Step {
        if kind == Kind::String
            && let Some(reader) = reader
        {
            return self.string::<false>(reader).map(drop);
        }
        self.other_key(kind, reader)
    }

    fn other_key(&mut self, kind: Kind, reader: Option<&mut Reader<'a>>) -> Step {
        let quotes = !matches!(
            kind,
            Kind::String | Kind::Int64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Sint64
        );
        if quotes {
            self.out.push(b'"');
        }
        match reader {
            Some(reader) => self.scalar::<false>(kind, reader).map(drop)?,
            None => self.default_value(kind),
        }
        if quotes {
            self.out.push(b'"');
        }
        Ok(())
    }

    /// Names the entry whose quoted key is at `key` in the output.
    #[cold]
    pub(super) fn within_key(&self, stop: Stop, key: Range<usize>) -> Stop {
        let quoted = self.out.get(key).unwrap_or_default();
        let text = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        stop.within(|| Segment::Key(shortened(text).into()))
    }

    /// Prints a string, which must be UTF-8, with a comma behind it or not.
    #[inline]
    pub(super) fn string<const COMMA: bool>(&mut self, reader: &mut Reader<'a>) -> Step<bool> {
        let payload = reader.payload()?;
        let text = self.input.get(payload.start..).unwrap_or_default();
        if payload.len() >= LONG {
            let bytes = text.get(..payload.len()).unwrap_or_default();
            make_room_for_string(&mut self.out, bytes, payload.end, self.input.len());
        }
        if put_start_as_string::<COMMA>(&mut self.out, text, payload.len()) {
            Ok(payload.is_empty())
        } else {
            Err(Stop::new(ToJsonErrorKind::InvalidUtf8, payload.start))
        }
    }
}
