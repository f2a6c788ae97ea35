//! Sets fields in the bytes of a message.

use std::collections::BTreeMap;
use std::ops::Range;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::fields::{Entry, Fields};
use super::value::put_message;

/// The most bytes that a varint has.
const MAX_VARINT: usize = 10;

/// Appends the message with the fields in the place of what it has there.
///
/// The bytes could be appended instead, since parsers take the last value and merge messages. Some take the last
/// message whole (protobufjs), and appending to a list would not replace it.
pub(super) fn merge(message: &[u8], fields: &Fields, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut parts: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut rest = message;
    while !rest.is_empty() {
        let record = Record::read(&mut rest)?;
        match fields.entry(record.number) {
            None => out.extend_from_slice(record.bytes),
            Some(Entry::Value { .. } | Entry::Displaced) => {}
            Some(Entry::Message { .. }) => {
                parts.entry(record.number).or_default().extend_from_slice(record.content());
            }
        }
    }
    for (number, entry) in fields.entries() {
        match entry {
            Entry::Value { records, .. } => out.extend_from_slice(records),
            Entry::Message { field, fields } => {
                let mut content = Vec::new();
                merge(parts.get(&number).map_or(&[], Vec::as_slice), fields, &mut content)?;
                put_message(field, number, &content, out);
            }
            Entry::Displaced => {}
        }
    }
    Ok(())
}

/// The first field of a message that is not the one with this number.
pub(super) fn other_field(message: &[u8], number: u32) -> Result<Option<u32>, DecodeError> {
    let mut rest = message;
    while !rest.is_empty() {
        let record = Record::read(&mut rest)?;
        if record.number != number {
            return Ok(Some(record.number));
        }
    }
    Ok(None)
}

/// One field of a message, as it stands there.
struct Record<'a> {
    number: u32,
    bytes: &'a [u8],
    /// Where in `bytes` the content of a message is; empty for what is none.
    content: Range<usize>,
}

impl<'a> Record<'a> {
    fn read(rest: &mut &'a [u8]) -> Result<Self, DecodeError> {
        let start = *rest;
        let (number, wire_type) = decode_key(rest)?;
        let key_length = start.len() - rest.len();
        let behind_key = *rest;
        skip_field(wire_type, number, rest, DecodeContext::default())?;
        let length = start.len() - rest.len();
        let content = match wire_type {
            WireType::LengthDelimited => {
                let mut value = behind_key;
                decode_varint(&mut value)?;
                start.len() - value.len()..length
            }
            WireType::StartGroup => key_length..length.saturating_sub(end_key_length(number, start, length)),
            _ => 0..0,
        };
        Ok(Self { number, bytes: start.get(..length).unwrap_or_default(), content })
    }

    fn content(&self) -> &'a [u8] {
        self.bytes.get(self.content.clone()).unwrap_or_default()
    }
}

/// The length of the key that ends a group of `length` bytes. It is the last varint there, and need not be as long as the
/// one at the start: a varint can have bytes that add nothing.
fn end_key_length(number: u32, group: &[u8], length: usize) -> usize {
    let end = group.get(..length).unwrap_or_default();
    // A key without its first bytes is a smaller number, so no other length has the same one.
    let is_key = |taken: &usize| {
        let mut key = end.get(end.len().saturating_sub(*taken)..).unwrap_or_default();
        matches!(decode_key(&mut key), Ok((of, WireType::EndGroup)) if of == number && key.is_empty())
    };
    (1..=MAX_VARINT).find(is_key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_of_a_group_ends_where_its_end_key_begins() {
        for (group, content) in [
            (&[0x0b, 0x10, 0x05, 0x0c][..], &[0x10, 0x05][..]),
            // Keys with bytes that add nothing, at the start and at the end.
            (&[0x8b, 0x00, 0x10, 0x05, 0x0c], &[0x10, 0x05]),
            (&[0x0b, 0x10, 0x05, 0x8c, 0x00], &[0x10, 0x05]),
            (&[0x0b, 0x10, 0x05, 0x8c, 0x80, 0x80, 0x80, 0x00], &[0x10, 0x05]),
            // Field 16, of two bytes, and a value that looks like a key.
            (&[0x83, 0x01, 0x10, 0x84, 0x01, 0x84, 0x01], &[0x10, 0x84, 0x01]),
            (&[0x0b, 0x0c], &[]),
        ] {
            let mut rest = group;
            let record = Record::read(&mut rest).expect("a group");
            assert_eq!((record.content(), rest.len()), (content, 0), "{group:x?}");
        }
    }
}
