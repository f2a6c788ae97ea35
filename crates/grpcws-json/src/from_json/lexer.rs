//! White space, punctuation and literals.

use std::borrow::Cow;

use super::parser::{Parser, Step};

impl<'a> Parser<'a> {
    /// The next byte that is not white space, which stays unread.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        match self.text.get(self.at) {
            Some(&byte) if byte > b' ' => Some(byte),
            Some(_) => self.peek_behind_space(),
            None => None,
        }
    }

    fn peek_behind_space(&mut self) -> Option<u8> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let space = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.unwrap_or(rest.len());
        self.text.get(self.at).copied()
    }

    /// Reads the byte if it is the next one.
    #[inline]
    pub(super) fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8, otherwise: &'static str) -> Step {
        if self.accept(byte) { Ok(()) } else { Err(self.syntax(otherwise)) }
    }

    /// Reads a member's name and the colon: the name, and where it stands.
    #[inline]
    pub(super) fn name(&mut self) -> Step<(Cow<'a, [u8]>, usize)> {
        if self.peek() != Some(b'"') {
            return Err(self.syntax("expected a member's name in quotes"));
        }
        let name_at = self.at;
        let name = self.string()?;
        self.expect(b':', "expected a colon")?;
        Ok((name, name_at))
    }

    /// Behind a member: `true` where another one follows.
    #[inline]
    pub(super) fn another_member(&mut self) -> Step<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b'}') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.syntax("expected a comma or the end of the object")),
        }
    }

    /// Behind an element: `true` where another one follows.
    #[inline]
    pub(super) fn another_element(&mut self) -> Step<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(b']') => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.syntax("expected a comma or the end of the array")),
        }
    }

    /// Reads `true`, `false` or `null` where it is next.
    #[inline]
    pub(super) fn accept_literal(&mut self, literal: &[u8]) -> bool {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let next = rest.get(literal.len());
        let found = rest.starts_with(literal) && !next.is_some_and(u8::is_ascii_alphanumeric);
        if found {
            self.at += literal.len();
        }
        found
    }

    #[inline]
    pub(super) fn accept_null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.accept_literal(b"null")
    }
}
