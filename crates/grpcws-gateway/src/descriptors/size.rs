//! What descriptors may cost, counted before they are decoded.
//!
//! An empty message of a descriptor has two bytes and takes hundreds in memory, so bytes alone say nothing. What is counted
//! is everything of which there may be any number: files, imports, messages, fields, oneofs, enums and their values,
//! services, methods, ranges of extensions, bindings to HTTP.

use bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

/// A kind of message in a descriptor.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Set,
    File,
    Message,
    Enum,
    Service,
    Method,
    MethodOptions,
    HttpRule,
    /// It has nothing that is counted.
    Leaf,
}

impl Kind {
    /// Whether a field is counted, and what it is.
    fn field(self, number: u32) -> Option<(bool, Self)> {
        Some(match (self, number) {
            (Self::Set, 1) => (true, Self::File),
            (Self::File, 3) | (Self::Message, 2 | 5 | 6 | 8) | (Self::Enum, 2) | (Self::File, 7) => {
                (true, Self::Leaf)
            }
            (Self::File, 4) | (Self::Message, 3) => (true, Self::Message),
            (Self::File, 5) | (Self::Message, 4) => (true, Self::Enum),
            (Self::File, 6) => (true, Self::Service),
            (Self::Service, 2) => (true, Self::Method),
            (Self::Method, 4) => (false, Self::MethodOptions),
            // `google.api.http`
            (Self::MethodOptions, 72_295_728) => (true, Self::HttpRule),
            (Self::HttpRule, 11) => (true, Self::HttpRule),
            _ => return None,
        })
    }
}

/// How many declarations a `FileDescriptorSet` has, as far as it can be read: what cannot is refused by the decoder.
pub(super) fn declarations_of_set(set: &Bytes) -> usize {
    count(set.clone(), Kind::Set, 0).0
}

/// How many declarations a `FileDescriptorProto` has, as far as it can be read.
pub(super) fn declarations(file: &Bytes) -> usize {
    count(file.clone(), Kind::File, 0).0
}

/// As deep as the decoder goes.
const NESTING: usize = 100;

/// The number, and whether all could be read.
fn count(mut bytes: Bytes, kind: Kind, depth: usize) -> (usize, bool) {
    let mut counted = 0_usize;
    while bytes.has_remaining() {
        let Ok((number, wire_type)) = decode_key(&mut bytes) else { return (counted, false) };
        match kind.field(number) {
            Some((counts, inner)) if wire_type == WireType::LengthDelimited => {
                let length = decode_varint(&mut bytes).ok().and_then(|length| usize::try_from(length).ok());
                let Some(length) = length.filter(|length| *length <= bytes.remaining()) else {
                    return (counted, false);
                };
                let inside = bytes.split_to(length);
                counted += usize::from(counts);
                if depth < NESTING && !matches!(inner, Kind::Leaf) {
                    let (inner, whole) = count(inside, inner, depth + 1);
                    counted = counted.saturating_add(inner);
                    if !whole {
                        return (counted, false);
                    }
                }
            }
            _ => {
                if skip_field(wire_type, number, &mut bytes, DecodeContext::default()).is_err() {
                    return (counted, false);
                }
            }
        }
    }
    (counted, true)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn everything_of_which_there_may_be_many_is_counted() {
        let set = Bytes::from_static(grpcws_test::FILE_DESCRIPTOR_SET);
        let decoded = prost_types::FileDescriptorSet::decode(set.clone()).expect("a set");
        let expected: usize = decoded
            .file
            .iter()
            .map(|file| {
                let messages: usize = file.message_type.iter().map(of_message).sum();
                let enums: usize = file.enum_type.iter().map(|found| 1 + found.value.len()).sum();
                let services: usize = file.service.iter().map(|service| 1 + service.method.len()).sum();
                1 + file.dependency.len() + file.extension.len() + messages + enums + services
            })
            .sum();
        assert_eq!(declarations_of_set(&set), expected);
    }

    fn of_message(message: &prost_types::DescriptorProto) -> usize {
        let enums: usize = message.enum_type.iter().map(|found| 1 + found.value.len()).sum();
        1 + message.field.len()
            + message.oneof_decl.len()
            + message.extension.len()
            + message.extension_range.len()
            + enums
            + message.nested_type.iter().map(of_message).sum::<usize>()
    }

    #[test]
    fn empty_ones_count() {
        for hostile in [&b"\x22\x00"[..], b"\x2a\x00", b"\x32\x00", b"\x1a\x00", b"\x3a\x00"] {
            let file = Bytes::from(hostile.repeat(1_000));
            assert_eq!(declarations(&file), 1_000, "{hostile:?}");
        }
        assert_eq!(
            declarations(&Bytes::from_static(b"\x22\x00\x22\x05")),
            1,
            "the decoder says what is wrong"
        );
    }
}
