//! Sets fields in the bytes of a message.

use std::collections::BTreeMap;
use std::ops::Range;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::fields::{Entry, Fields};
use super::value::put_message;

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
            // The end's key is as long as the start's: only the wire type differs.
            WireType::StartGroup => key_length..length.saturating_sub(key_length),
            _ => 0..0,
        };
        Ok(Self { number, bytes: start.get(..length).unwrap_or_default(), content })
    }

    fn content(&self) -> &'a [u8] {
        self.bytes.get(self.content.clone()).unwrap_or_default()
    }
}
