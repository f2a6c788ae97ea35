//! Strings: found by blocks, used in place where nothing is escaped.

use std::borrow::Cow;

use super::parser::{Parser, Step};
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::scan::plain_prefix;

/// The content of a string, as it stands in the text.
pub(super) struct Raw<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) escaped: bool,
    /// Offset of `bytes` in the document.
    start: usize,
}

impl<'a> Parser<'a> {
    /// Reads a string, whose opening quote is next, without resolving its escapes.
    #[inline]
    pub(super) fn raw_string(&mut self) -> Step<Raw<'a>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += plain_prefix(rest);
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at = self.text.len().min(self.at + 2);
                }
                Some(_) => return Err(self.syntax("a control character in a string")),
                None => return Err(self.syntax("the text ends within a string")),
            }
        }
        let bytes = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        if !bytes.is_ascii()
            && let Err(error) = std::str::from_utf8(bytes)
        {
            self.at = start + error.valid_up_to();
            return Err(self.error(FromJsonErrorKind::InvalidUtf8));
        }
        Ok(Raw { bytes, escaped, start })
    }

    /// Reads a string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Step<Cow<'a, [u8]>> {
        let raw = self.raw_string()?;
        if !raw.escaped {
            return Ok(Cow::Borrowed(raw.bytes));
        }
        let mut text = Vec::with_capacity(raw.bytes.len());
        self.unescape(&raw, &mut text)?;
        Ok(Cow::Owned(text))
    }

    /// Appends what the string means. The result is never longer than the text.
    pub(super) fn unescape(&self, raw: &Raw<'_>, out: &mut Vec<u8>) -> Step {
        let mut rest = raw.bytes;
        while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
            let (plain, escape) = rest.split_at(at);
            out.extend_from_slice(plain);
            let Some((byte, after)) = one_escape(escape, out) else {
                let offset = raw.start + (raw.bytes.len() - escape.len());
                let text = if byte_of_escape(escape) == Some(b'u') {
                    "an escape that is not a Unicode character"
                } else {
                    "an unknown escape in a string"
                };
                return Err(FromJsonError::new(FromJsonErrorKind::Syntax(text), offset));
            };
            out.extend(byte);
            rest = after;
        }
        out.extend_from_slice(rest);
        Ok(())
    }
}

fn byte_of_escape(escape: &[u8]) -> Option<u8> {
    escape.get(1).copied()
}

/// Resolves the escape at the beginning: the byte that it stands for, unless it appended a character itself, and
/// what follows it.
fn one_escape<'t>(escape: &'t [u8], out: &mut Vec<u8>) -> Option<(Option<u8>, &'t [u8])> {
    let (&kind, after) = escape.get(1..)?.split_first()?;
    let byte = match kind {
        b'"' | b'\\' | b'/' => kind,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let (unit, after) = hex_unit(after)?;
            let (character, after) = match unit {
                0xd800..=0xdbff => {
                    let (low, after) = hex_unit(after.strip_prefix(b"\\u")?)?;
                    if !(0xdc00..=0xdfff).contains(&low) {
                        return None;
                    }
                    (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), after)
                }
                _ => (unit, after),
            };
            let character = char::from_u32(character)?;
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some((None, after));
        }
        _ => return None,
    };
    Some((Some(byte), after))
}

/// Four hexadecimal digits.
fn hex_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, after) = text.split_first_chunk::<4>()?;
    let mut unit = 0;
    for &digit in digits {
        unit = unit << 4 | char::from(digit).to_digit(16)?;
    }
    Some((unit, after))
}
