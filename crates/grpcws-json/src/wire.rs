//! The protobuf wire format: a bounds-checked reader and the few writers that transcoding needs.

use std::ops::Range;

use crate::append::put_block;
use crate::table::Field;

/// Deepest nesting of groups that is skipped.
const UNKNOWN_GROUP_DEPTH: u32 = crate::options::MAX_RECURSION_LIMIT;

pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH_DELIMITED: u8 = 2;
pub(crate) const START_GROUP: u8 = 3;
pub(crate) const END_GROUP: u8 = 4;
pub(crate) const FIXED32: u8 = 5;

/// Bytes that are not protobuf, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) offset: usize,
    pub(crate) reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Truncated,
    Varint,
    Tag,
    Group,
    GroupDepth,
}

impl Reason {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Truncated => "the message ends within a field",
            Self::Varint => "a varint has more than 64 bits",
            Self::Tag => "a field's tag is not valid",
            Self::Group => "a group's end does not match its start",
            Self::GroupDepth => "groups nest too deeply",
        }
    }
}

/// Reads fields from `bytes`, which ends where the message ends but starts where the *outermost* message
/// starts: so every position is an offset in what the caller passed in, however deep the message is.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// A reader for `range` of the bytes that this one reads; empty where the range does not lie within them.
    #[inline]
    pub(crate) fn within(bytes: &'a [u8], range: &Range<usize>) -> Self {
        Self { bytes: bytes.get(..range.end).unwrap_or_default(), position: range.start }
    }

    /// A reader for `range`, which [`payload`](Self::payload) or [`group`](Self::group) of this one returned.
    #[inline]
    pub(crate) fn narrowed(&self, range: &Range<usize>) -> Self {
        Self::within(self.bytes, range)
    }

    /// A reader of the same bytes that stands elsewhere.
    #[inline]
    pub(crate) fn at(&self, position: usize) -> Self {
        Self { bytes: self.bytes, position }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.bytes.len()
    }

    #[inline]
    pub(crate) fn slice(&self, range: &Range<usize>) -> &'a [u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    #[cold]
    pub(crate) fn malformed(&self, reason: Reason) -> Malformed {
        Malformed { offset: self.position.min(self.bytes.len()), reason }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.position) {
            Some(&byte) if byte < 0x80 => {
                self.position += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    #[inline]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        match self.varint_of_words() {
            Some(value) => Ok(value),
            None => self.any_varint(),
        }
    }

    /// Reads a varint that has at least as many bytes behind it as are looked at: eight at once. `None`, and nothing read,
    /// where it has not, or is not valid.
    #[inline(never)]
    fn varint_of_words(&mut self) -> Option<u64> {
        let rest = self.bytes.get(self.position..)?;
        let word = u64::from_le_bytes(*rest.first_chunk()?);
        let ends = !word & 0x8080_8080_8080_8080;
        let last = ends & ends.wrapping_neg();
        // Every bit up to the one that tells of the end; all where there is none.
        let bits = word & last.wrapping_shl(1).wrapping_sub(1) & 0x7f7f_7f7f_7f7f_7f7f;
        let bits = bits & 0x007f_007f_007f_007f | (bits & 0x7f00_7f00_7f00_7f00) >> 1;
        let bits = bits & 0x0000_3fff_0000_3fff | (bits & 0x3fff_0000_3fff_0000) >> 2;
        let bits = bits & 0x0fff_ffff | (bits & 0x0fff_ffff_0000_0000) >> 4;
        if last != 0 {
            self.position += (last.trailing_zeros() / 8 + 1) as usize;
            return Some(bits);
        }
        match *rest.get(8..10)? {
            [ninth @ 0..0x80, _] => {
                self.position += 9;
                Some(bits | u64::from(ninth) << 56)
            }
            [ninth, tenth @ 0..=1] => {
                self.position += 10;
                Some(bits | u64::from(ninth & 0x7f) << 56 | u64::from(tenth) << 63)
            }
            _ => None,
        }
    }

    #[cold]
    fn any_varint(&mut self) -> Result<u64, Malformed> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let mut value = 0;
        for (index, &byte) in rest.iter().take(10).enumerate() {
            if index == 9 && byte > 1 {
                return Err(self.malformed(Reason::Varint));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.position += index + 1;
                return Ok(value);
            }
        }
        Err(self.malformed(if rest.len() < 10 { Reason::Truncated } else { Reason::Varint }))
    }

    /// The next field's number and wire type.
    #[inline]
    pub(crate) fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = self.raw_tag()?;
        Ok((tag >> 3, (tag & 7) as u8))
    }

    /// The next field's tag: its number and, in the low three bits, its wire type.
    #[inline]
    pub(crate) fn raw_tag(&mut self) -> Result<u32, Malformed> {
        let start = self.position;
        match u32::try_from(self.varint()?) {
            Ok(tag @ 8..) => Ok(tag),
            _ => Err(Malformed { offset: start, reason: Reason::Tag }),
        }
    }

    /// Reads the byte if it is the next one.
    #[inline]
    pub(crate) fn accept_byte(&mut self, byte: u32) -> bool {
        let found = self.bytes.get(self.position).is_some_and(|&next| u32::from(next) == byte);
        self.position += usize::from(found);
        found
    }

    /// Whether a value of this wire type is next and nothing is behind it. Groups are none.
    #[inline]
    pub(crate) fn is_last(&self, wire_type: u8) -> bool {
        let left = self.bytes.len().wrapping_sub(self.position);
        match wire_type {
            FIXED64 => left == 8,
            FIXED32 => left == 4,
            _ => {
                let mut ahead = *self;
                ahead.skip(0, wire_type).is_ok() && ahead.is_at_end()
            }
        }
    }

    /// The range of a length-delimited payload with nothing behind it; else nothing is read.
    #[inline(always)]
    pub(crate) fn last_payload(&mut self) -> Option<Range<usize>> {
        let mut ahead = *self;
        let payload = ahead.payload().ok().filter(|payload| payload.end == self.bytes.len())?;
        *self = ahead;
        Some(payload)
    }

    /// Reads the tag only if it is one of the field.
    #[inline]
    pub(crate) fn tag_if(&mut self, field: &Field) -> Result<Option<u8>, Malformed> {
        if self.accept_byte(field.tag_byte) {
            return Ok(Some(field.wire_type));
        }
        if self.is_at_end() {
            return Ok(None);
        }
        let mut ahead = *self;
        let (found, wire_type) = ahead.tag()?;
        if found != field.number || wire_type == END_GROUP {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(wire_type))
    }

    #[inline]
    pub(crate) fn fixed32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk);
        let Some(bytes) = bytes else {
            return Err(self.malformed(Reason::Truncated));
        };
        self.position += 4;
        Ok(u32::from_le_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn fixed64(&mut self) -> Result<u64, Malformed> {
        let bytes = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk);
        let Some(bytes) = bytes else {
            return Err(self.malformed(Reason::Truncated));
        };
        self.position += 8;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// The range of a length-delimited payload; the reader is then behind it.
    #[inline(always)]
    pub(crate) fn payload(&mut self) -> Result<Range<usize>, Malformed> {
        let start_of_length = self.position;
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let start = self.position;
        match start.checked_add(length) {
            Some(end) if end <= self.bytes.len() => {
                self.position = end;
                Ok(start..end)
            }
            _ => Err(Malformed { offset: start_of_length, reason: Reason::Truncated }),
        }
    }

    /// The payload as bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let range = self.payload()?;
        Ok(self.slice(&range))
    }

    /// The range of the content of a group whose start tag was just read; the reader is then behind the end tag.
    pub(crate) fn group(&mut self, number: u32) -> Result<Range<usize>, Malformed> {
        let start = self.position;
        let end = self.skip_group(number, UNKNOWN_GROUP_DEPTH)?;
        Ok(start..end)
    }

    /// Skips the value of a field whose tag was just read.
    pub(crate) fn skip(&mut self, number: u32, wire_type: u8) -> Result<(), Malformed> {
        self.skip_bounded(number, wire_type, UNKNOWN_GROUP_DEPTH)
    }

    fn skip_bounded(&mut self, number: u32, wire_type: u8, depth: u32) -> Result<(), Malformed> {
        match wire_type {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            LENGTH_DELIMITED => self.payload().map(drop),
            START_GROUP => self.skip_group(number, depth).map(drop),
            FIXED32 => self.fixed32().map(drop),
            END_GROUP => Err(self.malformed(Reason::Group)),
            _ => Err(self.malformed(Reason::Tag)),
        }
    }

    /// Returns where the content of the group ends.
    fn skip_group(&mut self, number: u32, depth: u32) -> Result<usize, Malformed> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.malformed(Reason::GroupDepth));
        };
        loop {
            let end = self.position;
            let (inner, wire_type) = self.tag()?;
            if wire_type == END_GROUP {
                if inner == number {
                    return Ok(end);
                }
                return Err(Malformed { offset: end, reason: Reason::Group });
            }
            self.skip_bounded(inner, wire_type, depth)?;
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "below 128")]
pub(crate) fn put_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        put_long_varint(out, value);
    }
}

/// Spreads the bits over a word, seven to a byte, and appends as many bytes as are needed.
fn put_long_varint(out: &mut Vec<u8>, value: u64) {
    const MORE: u64 = 0x8080_8080_8080_8080;
    let bits = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let bits = bits & 0x0000_3fff_0000_3fff | (bits & 0x0fff_c000_0fff_c000) << 2;
    let bits = bits & 0x007f_007f_007f_007f | (bits & 0x3f80_3f80_3f80_3f80) << 1;
    let above = value >> 56;
    if above == 0 {
        let last = (63 - bits.leading_zeros()) / 8;
        let word = bits | MORE & ((1 << (8 * last)) - 1);
        put_block(out, &word.to_le_bytes(), last as usize + 1);
    } else {
        out.extend_from_slice(&(bits | MORE).to_le_bytes());
        // Where there is a tenth byte, the highest bit of the ninth is set, and says so.
        put_block(out, &[above as u8, (above >> 7) as u8], 1 + (above >> 7) as usize);
    }
}

#[inline]
pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number << 3 | u32::from(wire_type)));
}

/// Reserves the room of a length prefix and returns the mark that [`end_length`] takes.
#[inline]
pub(crate) fn begin_length(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Writes the length of what follows `mark` into the reserved byte, and makes room where it needs more.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "below 128")]
pub(crate) fn end_length(out: &mut Vec<u8>, mark: usize) {
    let length = out.len().saturating_sub(mark);
    if length < 0x80 {
        if let Some(byte) = mark.checked_sub(1).and_then(|at| out.get_mut(at)) {
            *byte = length as u8;
        }
        return;
    }
    end_long_length(out, mark, length);
}

#[cold]
fn end_long_length(out: &mut Vec<u8>, mark: usize, length: usize) {
    let (prefix, width) = varint_bytes(length as u64);
    let end = out.len();
    // The prefix has at least two bytes, one of which is reserved already.
    let extra = width - 1;
    out.resize(end + extra, 0);
    out.copy_within(mark..end, mark + extra);
    put_at(out, mark - 1, prefix.get(..width).unwrap_or_default());
}

/// A length prefix whose room was reserved for the length that was likely.
pub(crate) struct LikelyLength {
    start: usize,
    width: usize,
}

/// Reserves the room of a length prefix that is likely to take as many bytes as `likely` would; goes with
/// [`end_length_like`].
pub(crate) fn begin_length_like(out: &mut Vec<u8>, likely: usize) -> LikelyLength {
    let (prefix, width) = varint_bytes(likely as u64);
    let start = out.len();
    out.extend_from_slice(prefix.get(..width).unwrap_or_default());
    LikelyLength { start, width }
}

/// Writes the length of what follows the mark, and moves that where its prefix has another width.
pub(crate) fn end_length_like(out: &mut Vec<u8>, mark: LikelyLength) {
    let (content, end) = (mark.start + mark.width, out.len());
    let (prefix, width) = varint_bytes(end.saturating_sub(content) as u64);
    if width > mark.width {
        out.resize(end + width - mark.width, 0);
    }
    if width != mark.width {
        out.copy_within(content..end, mark.start + width);
        out.truncate(mark.start + width + (end - content));
    }
    put_at(out, mark.start, prefix.get(..width).unwrap_or_default());
}

fn put_at(out: &mut [u8], start: usize, bytes: &[u8]) {
    if let Some(room) = out.get_mut(start..start + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}

/// A varint, and how many bytes it takes.
#[expect(clippy::cast_possible_truncation, reason = "a varint is written by its low seven bits")]
fn varint_bytes(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut width = 0;
    for byte in &mut bytes {
        width += 1;
        *byte = value as u8 | 0x80;
        value >>= 7;
        if value == 0 {
            *byte &= 0x7f;
            break;
        }
    }
    (bytes, width)
}

#[inline]
pub(crate) fn zigzag32(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
pub(crate) fn zigzag64(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
pub(crate) fn unzigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

#[inline]
pub(crate) fn unzigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for value in [0, 1, 127, 128, 300, 1 << 31, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn varint_of_more_than_64_bits_is_refused() {
        let mut reader = Reader::new(&[0xff; 11]);
        assert_eq!(reader.varint().map_err(|fault| fault.reason), Err(Reason::Varint));
        let mut reader = Reader::new(&[0xff; 4]);
        assert_eq!(reader.varint().map_err(|fault| fault.reason), Err(Reason::Truncated));
    }

    #[test]
    fn varints_of_every_length() {
        for bits in 0..64 {
            for value in [(1_u64 << bits) - 1, 1 << bits, u64::MAX >> bits, 0x5555_5555_5555_5555 >> bits] {
                let mut bytes = Vec::new();
                put_varint(&mut bytes, value);
                let length = bytes.len();
                for behind in 0..12 {
                    bytes.resize(length + behind, 0xff);
                    let mut reader = Reader::new(&bytes);
                    assert_eq!(reader.varint(), Ok(value));
                    assert_eq!(reader.position(), length);
                }
            }
        }
    }

    #[test]
    fn lengths_are_patched_whatever_their_size() {
        for length in [0_usize, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let mut out = vec![7];
            let mark = begin_length(&mut out);
            out.resize(out.len() + length, 0xab);
            end_length(&mut out, mark);
            let mut reader = Reader::within(&out, &(1..out.len()));
            let payload = reader.bytes().expect("the prefix was just written");
            assert_eq!(payload.len(), length);
            assert!(payload.iter().all(|&byte| byte == 0xab));
            assert!(reader.is_at_end());
            for likely in [0, 200, 100_000, usize::MAX] {
                let mut guessed = vec![7];
                let mark = begin_length_like(&mut guessed, likely);
                guessed.resize(guessed.len() + length, 0xab);
                end_length_like(&mut guessed, mark);
                assert!(guessed == out, "{length} {likely}");
            }
        }
    }

    #[test]
    fn declared_length_beyond_the_end_is_truncation() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2]);
        assert_eq!(reader.payload().map_err(|fault| fault.reason), Err(Reason::Truncated));
    }

    #[test]
    fn unknown_groups_are_skipped_to_a_bound() {
        let mut bytes = vec![0x0b; 90];
        bytes.extend([0x0c; 90]);
        let mut reader = Reader::new(&bytes);
        let (number, wire_type) = reader.tag().expect("a tag");
        assert_eq!(reader.skip(number, wire_type), Ok(()));
        assert!(reader.is_at_end());
        let mut reader = Reader::new(&[0x0b; 100_000]);
        let (number, wire_type) = reader.tag().expect("a tag");
        assert_eq!(reader.skip(number, wire_type).map_err(|fault| fault.reason), Err(Reason::GroupDepth));
    }

    #[test]
    fn zigzag_round_trips() {
        for value in [0, 1, -1, i32::MIN, i32::MAX] {
            assert_eq!(zigzag32(unzigzag32(value)), value);
        }
        for value in [0, 1, -1, i64::MIN, i64::MAX] {
            assert_eq!(zigzag64(unzigzag64(value)), value);
        }
    }
}
