//! Maps: objects whose names are keys.

use super::decimal::{integer, number_length};
use super::number::{signed, signed32, unsigned, unsigned32};
use super::parser::{Parser, Step};
use super::scalar::Written;
use crate::error::FromJsonError;
use crate::path::{Segment, shortened};
use crate::table::{Field, Kind};
use crate::wire::{LENGTH_DELIMITED, begin_length, end_length, put_tag, put_varint, unzigzag32, unzigzag64};

impl<'a> Parser<'a> {
    pub(super) fn map(&mut self, field: &'a Field, depth: u32) -> Step {
        let Kind::Message(index) = field.kind else {
            return Ok(());
        };
        let Some((key, value)) = self.table.message_of(index).entry_fields() else {
            return Ok(());
        };
        self.entries(|parser, name, name_at| {
            let before = parser.out.len();
            put_tag(parser.out, field.number, LENGTH_DELIMITED);
            let mark = begin_length(parser.out);
            parser.map_key(key, name, name_at)?;
            if parser.tagged_value(value, depth)? == Written::Nothing {
                parser.out.truncate(before);
            } else {
                end_length(parser.out, mark);
            }
            Ok(())
        })
    }

    /// Reads an object; `entry` gets each name and where it stands, and reads the value.
    pub(super) fn entries(&mut self, mut entry: impl FnMut(&mut Self, &[u8], usize) -> Step) -> Step {
        if !self.accept(b'{') {
            return Err(self.invalid("an object", self.at));
        }
        if self.accept(b'}') {
            return Ok(());
        }
        loop {
            self.make_room(0);
            let (name, name_at) = self.name()?;
            entry(self, &name, name_at).map_err(|error| within_key(error, &name))?;
            if !self.another_member()? {
                return Ok(());
            }
        }
    }

    fn map_key(&mut self, key: &Field, name: &[u8], name_at: usize) -> Step {
        put_tag(self.out, key.number, key.wire_type);
        if key.kind == Kind::String {
            self.length_delimited(name);
            return Ok(());
        }
        self.scalar_key(key.kind, name)
            .ok_or_else(|| self.invalid(format!("a key of type {}", key.kind.name()), name_at))
    }

    fn scalar_key(&mut self, kind: Kind, name: &[u8]) -> Option<()> {
        let value = match (kind, name) {
            (Kind::Bool, b"true") => 1,
            (Kind::Bool, b"false") => 0,
            (Kind::Bool, _) => return None,
            _ => {
                if number_length(name) != Some(name.len()) {
                    return None;
                }
                let (negative, magnitude) = integer(name)?;
                let signed = || signed(negative, magnitude);
                let signed32 = || signed32(negative, magnitude);
                let unsigned = || unsigned(negative, magnitude);
                let unsigned32 = || unsigned32(negative, magnitude);
                match kind {
                    Kind::Int32 => i64::from(signed32()?).cast_unsigned(),
                    Kind::Int64 => signed()?.cast_unsigned(),
                    Kind::Uint32 => u64::from(unsigned32()?),
                    Kind::Uint64 => unsigned()?,
                    Kind::Sint32 => u64::from(unzigzag32(signed32()?)),
                    Kind::Sint64 => unzigzag64(signed()?),
                    Kind::Fixed32 => return self.key_bytes(&unsigned32()?.to_le_bytes()),
                    Kind::Sfixed32 => return self.key_bytes(&signed32()?.to_le_bytes()),
                    Kind::Fixed64 => return self.key_bytes(&unsigned()?.to_le_bytes()),
                    Kind::Sfixed64 => return self.key_bytes(&signed()?.to_le_bytes()),
                    _ => return None,
                }
            }
        };
        put_varint(self.out, value);
        Some(())
    }

    fn key_bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.out.extend_from_slice(bytes);
        Some(())
    }
}

#[cold]
fn within_key(error: FromJsonError, name: &[u8]) -> FromJsonError {
    error.within(Segment::Key(shortened(name).into()))
}
