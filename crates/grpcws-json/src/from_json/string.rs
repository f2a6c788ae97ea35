//! Strings: found by blocks, used in place where nothing is escaped.

use std::borrow::Cow;

use super::parser::{Parser, Step};
use crate::append::put_short;
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::scan::plain_prefix;

impl<'a> Parser<'a> {
    /// Reads a string whose opening quote is next: the text itself where nothing in it is escaped.
    #[inline]
    pub(super) fn string(&mut self) -> Step<Cow<'a, [u8]>> {
        let rest = self.text.get(self.at + 1..).unwrap_or_default();
        let length = plain_prefix(rest);
        if rest.get(length) != Some(&b'"') {
            return self.escaped_string().map(Cow::Owned);
        }
        let bytes = rest.get(..length).unwrap_or_default();
        if !is_utf8(bytes) {
            return Err(self.invalid_utf8(self.at + 1, bytes));
        }
        self.at += length + 2;
        Ok(Cow::Borrowed(bytes))
    }

    #[inline(never)]
    fn escaped_string(&mut self) -> Step<Vec<u8>> {
        // The buffer of the output is a place as good as another, and grows as the string does.
        let start = self.out.len();
        self.unescaped_string(start)?;
        let text = self.out.get(start..).unwrap_or_default().to_vec();
        self.out.truncate(start);
        Ok(text)
    }

    /// Reads a string whose opening quote is next, and appends what it means to the output, which ends at `start`.
    pub(super) fn unescaped_string(&mut self, start: usize) -> Step {
        let opening = self.at;
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let (plain, special) = rest.split_at(plain_prefix(rest));
            self.make_room(plain.len());
            put_short(self.out, plain);
            self.at += plain.len();
            match special {
                [b'"', ..] => break,
                [b'\\', ..] => self.escape(special)?,
                [_, ..] => return Err(self.syntax("a control character in a string")),
                [] => return Err(self.syntax("the text ends within a string")),
            }
        }
        self.at += 1;
        // Escapes are whole characters: what is between them is UTF-8 where the result is.
        if is_utf8(self.out.get(start..).unwrap_or_default()) {
            return Ok(());
        }
        let text = self.text.get(opening + 1..self.at - 1).unwrap_or_default();
        Err(self.invalid_utf8(opening + 1, text))
    }

    /// Resolves the escape that is next.
    #[inline]
    fn escape(&mut self, text: &[u8]) -> Step {
        let byte = match text.get(1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'u') => return self.unicode_escape(text),
            Some(_) => return Err(self.syntax("an unknown escape in a string")),
            None => {
                self.at = self.text.len();
                return Err(self.syntax("the text ends within a string"));
            }
        };
        self.out.push(byte);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self, text: &[u8]) -> Step {
        let Some((character, after)) = unicode_character(text) else {
            return Err(self.syntax("an escape that is not a Unicode character"));
        };
        self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        self.at += text.len() - after.len();
        Ok(())
    }

    /// Text from `start` on is not UTF-8.
    #[cold]
    pub(super) fn invalid_utf8(&mut self, start: usize, text: &[u8]) -> FromJsonError {
        let valid = std::str::from_utf8(text).map_or_else(|error| error.valid_up_to(), |_| text.len());
        self.at = start + valid;
        self.error(FromJsonErrorKind::InvalidUtf8)
    }
}

#[inline]
pub(super) fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

/// The character of a `\uXXXX`, or of two of them that are a surrogate pair, and what follows.
fn unicode_character(text: &[u8]) -> Option<(char, &[u8])> {
    let (unit, after) = hex_unit(text.strip_prefix(b"\\u")?)?;
    if !(0xd800..=0xdbff).contains(&unit) {
        return Some((char::from_u32(unit)?, after));
    }
    let (low, after) = hex_unit(after.strip_prefix(b"\\u")?)?;
    if !(0xdc00..=0xdfff).contains(&low) {
        return None;
    }
    Some((char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?, after))
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
