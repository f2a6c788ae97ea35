//! Strings: copied in one piece up to each byte that must be escaped.

use std::ops::Range;

use super::writer::{Step, Stop, Writer};
use crate::append::{NOTHING, count, put_block, put_short};
use crate::error::ToJsonErrorKind;
use crate::room::LONG;
use crate::scan::{is_plain_block, plain_prefix};
use crate::wire::Reader;

impl<'a> Writer<'a> {
    /// Prints a string, which must be UTF-8, with a character behind it or not; tells whether it is empty.
    #[inline]
    pub(super) fn string<const BEHIND: u8>(&mut self, reader: &mut Reader<'a>) -> Step<bool> {
        let payload = reader.payload()?;
        self.string_at::<BEHIND>(&payload)?;
        Ok(payload.is_empty())
    }

    #[inline]
    pub(super) fn string_at<const BEHIND: u8>(&mut self, payload: &Range<usize>) -> Step {
        // Before a string there is its length: the block takes a quote in place of that.
        let block = self.input.get(payload.start.wrapping_sub(1)..).and_then(<[u8]>::first_chunk);
        if let Some(block) = block
            && payload.len() <= IN_ONE_BLOCK
            && put_block_as_string::<BEHIND>(&mut self.out, block, payload.len())
        {
            return Ok(());
        }
        self.any_string::<BEHIND>(payload)
    }

    #[inline(never)]
    fn any_string<const BEHIND: u8>(&mut self, payload: &Range<usize>) -> Step {
        let bytes = self.input.get(payload.clone()).unwrap_or_default();
        if bytes.len() >= LONG {
            self.make_room_for_string(bytes, payload.end)?;
        }
        if put_bytes_as_string::<BEHIND>(&mut self.out, bytes) {
            Ok(())
        } else {
            Err(Stop::new(ToJsonErrorKind::InvalidUtf8, payload.start))
        }
    }

    /// Makes room for a long string. What is escaped is counted only where there is no room in any case: a buffer that is
    /// used again has it.
    fn make_room_for_string(&mut self, bytes: &[u8], read: usize) -> Step {
        if self.out.capacity() - self.out.len() >= bytes.len() {
            return Ok(());
        }
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..0x20 => 5,
            _ => 0,
        };
        let more: usize = bytes.iter().map(|&byte| escaped(byte)).sum();
        self.make_room(bytes.len() + more, read)
    }
}

/// Appends the string in quotes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    let _ = put_bytes_as_string::<NOTHING>(out, text.as_bytes());
}

/// Appends the bytes as a string in quotes, with a character behind it or not; `false` and nothing appended where they
/// are not UTF-8.
///
/// Most strings are ASCII and have nothing to escape. Those that are short are looked at and copied as blocks.
#[inline(never)]
fn put_bytes_as_string<const BEHIND: u8>(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let plain = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 32 => is_plain_block(first) && is_plain_block(last),
        _ => false,
    };
    if !plain {
        return put_any_string::<BEHIND>(out, bytes);
    }
    out.push(b'"');
    put_short(out, bytes);
    put_end::<BEHIND>(out);
    true
}

/// The length of a string that fits in a block of 16 with two quotes and a character behind it.
const IN_ONE_BLOCK: usize = 13;

/// Which bytes of a block belong to a string of each length, which begins at the second one.
static INSIDE: [[u8; 16]; 16] = blocks(0, [0xff, 0, 0]);

/// Blocks for strings of each length: the first byte, from the second one on as many times as the length says the first of
/// three bytes, and the others behind them. Where a length does not fit, all bits are set, so that no byte of the blocks
/// is known to the compiler, which would then take them apart.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
const fn blocks(first: u8, [inside, end, behind]: [u8; 3]) -> [[u8; 16]; 16] {
    let mut blocks = [[0xff; 16]; 16];
    let mut length = 0;
    while length <= IN_ONE_BLOCK {
        let mut block = [0; 16];
        block[0] = first;
        let mut at = 1;
        while at <= length {
            block[at] = inside;
            at += 1;
        }
        block[at] = end;
        block[at + 1] = behind;
        blocks[length] = block;
        length += 1;
    }
    blocks
}

/// Appends a string of at most [`IN_ONE_BLOCK`] bytes, which begins at the second one of the block. `false` and nothing
/// appended where it is not ASCII, or something in it must be escaped.
#[inline(always)]
fn put_block_as_string<const BEHIND: u8>(out: &mut Vec<u8>, block: &[u8; 16], length: usize) -> bool {
    let none = &[0; 16];
    let inside = INSIDE.get(length & 15).unwrap_or(none);
    let around = const { &blocks(b'"', [0, b'"', BEHIND]) }.get(length & 15).unwrap_or(none);
    let (mut text, mut checked) = (*block, *block);
    for (((text, checked), inside), around) in text.iter_mut().zip(&mut checked).zip(inside).zip(around) {
        *checked = *text & inside | b' ' & !inside;
        *text = *text & inside | around;
    }
    if !is_plain_block(&checked) {
        return false;
    }
    put_block(out, &text, length + 2 + count(BEHIND));
    true
}

#[inline]
fn put_end<const BEHIND: u8>(out: &mut Vec<u8>) {
    put_block(out, &[b'"', BEHIND], 1 + count(BEHIND));
}

#[inline(never)]
fn put_any_string<const BEHIND: u8>(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
        return false;
    }
    out.push(b'"');
    let mut rest = bytes;
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        put_short(out, plain);
        let Some((&byte, after)) = special.split_first() else { break };
        put_escape(out, byte);
        rest = after;
    }
    put_end::<BEHIND>(out);
    true
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |nibble: u8| {
                if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
            };
            out.extend_from_slice(b"\\u00");
            out.push(digit(byte >> 4));
            out.push(digit(byte & 0xf));
            return;
        }
    };
    out.push(b'\\');
    out.push(short);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(bytes: &[u8]) -> Option<String> {
        let mut out = Vec::new();
        put_bytes_as_string::<NOTHING>(&mut out, bytes)
            .then(|| String::from_utf8(out).expect("UTF-8 in, UTF-8 out"))
    }

    #[test]
    fn escapes_at_every_position() {
        for length in 0..100 {
            for at in 0..length {
                for special in ['"', '\\', '\n', '\u{1}', '\u{1f}', '\u{7f}', 'é', '𝄞'] {
                    let mut text: Vec<char> = vec!['a'; length];
                    text[at] = special;
                    let text: String = text.into_iter().collect();
                    let json = quoted(text.as_bytes()).expect("UTF-8");
                    assert_eq!(serde_json::from_str::<String>(&json).ok(), Some(text));
                }
            }
        }
    }

    #[test]
    fn refuses_what_is_not_utf8() {
        assert_eq!(quoted(b"\xff"), None);
        assert_eq!(quoted(b"abc\xed\xa0\x80"), None);
        assert_eq!(quoted(b"\x00\x0b"), Some(r#""\u0000\u000b""#.to_owned()));
    }
}
