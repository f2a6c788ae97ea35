//! Strings: copied in one piece up to each byte that must be escaped.

use crate::append::{put_block, put_short};
use crate::room::make_room;
use crate::scan::{is_plain_block, is_plain_word, plain_prefix};

/// Appends the string in quotes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    let _ = put_bytes_as_string(out, text.as_bytes());
}

/// Appends the bytes as a string in quotes; `false` and nothing appended where they are not UTF-8.
#[inline]
pub(super) fn put_bytes_as_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    put_start_as_string::<false>(out, bytes, bytes.len())
}

/// As [`put_bytes_as_string`] for a string that starts in `text` and has `length` bytes, with a comma behind it or not.
///
/// Most strings are short, ASCII, and have nothing to escape. Those are looked at and copied as blocks.
#[inline]
pub(super) fn put_start_as_string<const COMMA: bool>(out: &mut Vec<u8>, text: &[u8], length: usize) -> bool {
    let bytes = text.get(..length).unwrap_or_default();
    let plain = match (text.first_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
        // In most messages there is something behind the string: then the block that it is in can be taken as a whole.
        (Some(block), ..) if length <= IN_ONE_BLOCK => return put_in_one_block::<COMMA>(out, *block, bytes),
        (_, Some(first), Some(last)) if length <= 32 => is_plain_block(first) && is_plain_block(last),
        _ => false,
    };
    if !plain {
        return put_any_string::<COMMA>(out, bytes);
    }
    out.push(b'"');
    put_short(out, bytes);
    put_end::<COMMA>(out);
    true
}

/// The length of a string that fits in a block of 16 with two quotes and a comma.
const IN_ONE_BLOCK: usize = 13;

#[inline(always)]
fn put_in_one_block<const COMMA: bool>(out: &mut Vec<u8>, block: [u8; 16], bytes: &[u8]) -> bool {
    const SPACES: u128 = u128::from_le_bytes([b' '; 16]);
    let bits = 8 * bytes.len();
    let inside = (1_u128 << bits) - 1;
    let word = u128::from_le_bytes(block) & inside;
    if !is_plain_word(word | !inside & SPACES) {
        return put_any_string::<COMMA>(out, bytes);
    }
    let end = u128::from(b'"') | u128::from(b',') << 8;
    let quoted = (word | end << bits) << 8 | u128::from(b'"');
    put_block(out, &quoted.to_le_bytes(), bytes.len() + 2 + usize::from(COMMA));
    true
}

/// Makes room for a long string. What is escaped is counted only where there is no room in any case: a buffer that is used
/// again has it.
pub(super) fn make_room_for_string(out: &mut Vec<u8>, bytes: &[u8], read: usize, length: usize) {
    if out.capacity() - out.len() < bytes.len() {
        let escaped = |byte: u8| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..0x20 => 5,
            _ => 0,
        };
        let more: usize = bytes.iter().map(|&byte| escaped(byte)).sum();
        make_room(out, bytes.len() + more, read, length);
    }
}

#[inline]
fn put_end<const COMMA: bool>(out: &mut Vec<u8>) {
    put_block(out, b"\",", 1 + usize::from(COMMA));
}

#[inline(never)]
fn put_any_string<const COMMA: bool>(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
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
    put_end::<COMMA>(out);
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
        put_bytes_as_string(&mut out, bytes).then(|| String::from_utf8(out).expect("UTF-8 in, UTF-8 out"))
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
