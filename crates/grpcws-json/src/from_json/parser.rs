//! What is common to all of the direction: the state, and how errors are made.

use super::any_types::AnyTypes;
use crate::error::{FromJsonError, FromJsonErrorKind};
use crate::options::{MAX_RECURSION_LIMIT, UnmarshalOptions};
use crate::path::shortened;
use crate::room::make_room;
use crate::table::{Kind, TableData};

pub(super) type Step<T = ()> = Result<T, FromJsonError>;

/// The state of one call.
pub(super) struct Parser<'a> {
    pub(super) table: &'a TableData,
    /// The document, to the end of the text that may be read.
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) out: &'a mut Vec<u8>,
    pub(super) discard_unknown: bool,
    pub(super) allow_partial: bool,
    pub(super) opaque_any: bool,
    pub(super) any_types: AnyTypes,
    recursion_limit: u32,
    /// How many values were read and not used.
    #[cfg(test)]
    pub(super) skipped: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(
        table: &'a TableData,
        text: &'a [u8],
        at: usize,
        options: &UnmarshalOptions,
        out: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            table,
            text,
            at,
            out,
            discard_unknown: options.discard_unknown,
            allow_partial: options.allow_partial,
            opaque_any: options.opaque_any,
            any_types: AnyTypes::default(),
            recursion_limit: options.recursion_limit.min(MAX_RECURSION_LIMIT),
            #[cfg(test)]
            skipped: 0,
        }
    }

    pub(super) fn outermost(&mut self, index: u32) -> Step {
        self.message(index, self.recursion_limit)
    }

    /// Reads the value of a field and writes it with its tag.
    pub(super) fn outermost_field(&mut self, message: u32, index: u32) -> Step {
        self.peek();
        let depth = self.deeper(self.recursion_limit)?;
        let message = self.table.message_of(message);
        match message.fields.get(index as usize) {
            Some(field) => self.field_alone(field, depth),
            None => Ok(()),
        }
    }

    /// Room in the output for `need` bytes and some more.
    #[inline]
    pub(super) fn make_room(&mut self, need: usize) {
        make_room(self.out, need, self.at, self.text.len());
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// One level deeper; `depth` is how many more there may be.
    #[inline]
    pub(super) fn deeper(&self, depth: u32) -> Step<u32> {
        depth.checked_sub(1).ok_or_else(|| self.error(FromJsonErrorKind::RecursionLimit))
    }

    #[cold]
    pub(super) fn error(&self, kind: FromJsonErrorKind) -> FromJsonError {
        FromJsonError::new(kind, self.at)
    }

    #[cold]
    pub(super) fn syntax(&self, text: &'static str) -> FromJsonError {
        let text = if self.at >= self.text.len() { "the text ends within a value" } else { text };
        self.error(FromJsonErrorKind::Syntax(text))
    }

    /// The value at `at` is not what it should be.
    #[cold]
    pub(super) fn invalid(&self, expected: impl Into<String>, at: usize) -> FromJsonError {
        let rest = self.text.get(at..).unwrap_or_default();
        let found = match rest {
            [] => return FromJsonError::new(FromJsonErrorKind::Syntax("the text ends within a value"), at),
            [b'{', ..] => "an object".to_owned(),
            [b'[', ..] => "an array".to_owned(),
            [b'"', ..] => excerpt(rest, quoted_length(rest)),
            [b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'+' | b'.', ..] => {
                let end =
                    rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-._".contains(byte)));
                excerpt(rest, end.unwrap_or(rest.len()))
            }
            _ => return FromJsonError::new(FromJsonErrorKind::Syntax("a value is missing"), at),
        };
        FromJsonError::new(FromJsonErrorKind::InvalidValue { expected: expected.into(), found }, at)
    }

    /// The value at `at` is not one of this type.
    #[cold]
    pub(super) fn invalid_for(&self, kind: Kind, at: usize) -> FromJsonError {
        self.invalid(format!("a value of type {}", kind.name()), at)
    }
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &byte) in rest.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn excerpt(rest: &[u8], length: usize) -> String {
    shortened(rest.get(..length).unwrap_or_default())
}
