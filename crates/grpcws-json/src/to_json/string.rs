//! Strings: copied in one piece up to each byte that must be escaped.

use crate::append::{put_block, put_short};
use crate::scan::{is_plain_ascii, plain_prefix};

/// Appends the string in quotes.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    let _ = put_bytes_as_string(out, text.as_bytes());
}

/// Appends the bytes as a string in quotes; `false` and nothing appended where they are not UTF-8.
#[inline]
pub(super) fn put_bytes_as_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    if bytes.len() < SHORT && is_plain_ascii(bytes) {
        out.push(b'"');
        put_short(out, bytes);
        out.push(b'"');
        return true;
    }
    put_any_string(out, bytes)
}

/// Up to this length, a string is looked at as a whole before it is copied.
const SHORT: usize = 64;

/// As [`put_bytes_as_string`] for a string that starts in `text` and has `length` bytes.
#[inline]
pub(super) fn put_start_as_string(out: &mut Vec<u8>, text: &[u8], length: usize) -> bool {
    // Most strings are short and lie before other fields: then the block that one is in can be taken as a whole.
    if length < 16
        && let Some(block) = text.first_chunk::<16>()
    {
        let word = u128::from_le_bytes(*block);
        let inside = (1_u128 << (8 * length)) - 1;
        // Behind the string stands the quote that ends it, and then what is not looked at.
        let padded = word & inside | !inside & SPACES;
        if is_plain_ascii(&padded.to_le_bytes()) {
            out.push(b'"');
            let quoted = word & inside | u128::from(b'"') << (8 * length);
            put_block(out, &quoted.to_le_bytes(), length + 1);
            return true;
        }
    }
    put_bytes_as_string(out, text.get(..length).unwrap_or_default())
}

const SPACES: u128 = u128::from_le_bytes([b' '; 16]);

#[inline(never)]
fn put_any_string(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
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
    out.push(b'"');
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
