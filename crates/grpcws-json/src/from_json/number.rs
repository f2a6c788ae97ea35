//! Numbers, bare or in quotes.

use std::borrow::Cow;

use super::decimal::{integer, number_length};
use super::parser::{Parser, Step};
use crate::table::Kind;

/// So many digits always fit in 64 bits.
const SHORT: usize = 19;

impl<'a> Parser<'a> {
    /// Reads a number, in quotes or not: its text, which follows JSON's grammar unless it was in quotes.
    fn number_text(&mut self, kind: Kind) -> Step<(Cow<'a, [u8]>, bool)> {
        match self.peek() {
            Some(b'"') => Ok((self.string()?, true)),
            Some(b'-' | b'0'..=b'9') => Ok((Cow::Borrowed(self.bare_number()?), false)),
            _ => Err(self.invalid_for(kind, self.at)),
        }
    }

    /// Reads a number that is next.
    pub(super) fn bare_number(&mut self) -> Step<&'a [u8]> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = number_length(rest) else {
            return Err(self.syntax("not a number"));
        };
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// Reads an integer: its sign and magnitude.
    #[inline]
    pub(super) fn integer(&mut self, kind: Kind) -> Step<(bool, u64)> {
        self.peek();
        if let Some(found) = self.short_integer() {
            return Ok(found);
        }
        let start = self.at;
        let (text, quoted) = self.number_text(kind)?;
        let valid = !quoted || number_length(&text) == Some(text.len());
        match integer(&text) {
            Some(found) if valid => Ok(found),
            _ => Err(self.invalid_for(kind, start)),
        }
    }

    /// Reads an integer of up to [`SHORT`] digits without fraction or exponent, in quotes or not; reads nothing where that
    /// is not next.
    #[inline]
    fn short_integer(&mut self) -> Option<(bool, u64)> {
        let rest = self.text.get(self.at..)?;
        let (quoted, unquoted) = match rest {
            [b'"', rest @ ..] => (true, rest),
            _ => (false, rest),
        };
        let (negative, digits) = match unquoted {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, unquoted),
        };
        let mut value = 0;
        let mut length = 0;
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            if length == SHORT {
                return None;
            }
            value = value * 10 + u64::from(digit);
            length += 1;
        }
        let leading_zero = length > 1 && digits.first() == Some(&b'0');
        let next = digits.get(length).copied();
        let ends = if quoted { next == Some(b'"') } else { !matches!(next, Some(b'.' | b'e' | b'E')) };
        if length == 0 || leading_zero || !ends {
            return None;
        }
        self.at += usize::from(quoted) * 2 + usize::from(negative) + length;
        Some((negative, value))
    }

    pub(super) fn signed(&mut self, kind: Kind) -> Step<i64> {
        self.peek();
        let start = self.at;
        let (negative, magnitude) = self.integer(kind)?;
        signed(negative, magnitude).ok_or_else(|| self.invalid_for(kind, start))
    }

    pub(super) fn unsigned(&mut self, kind: Kind) -> Step<u64> {
        self.peek();
        let start = self.at;
        let (negative, magnitude) = self.integer(kind)?;
        unsigned(negative, magnitude).ok_or_else(|| self.invalid_for(kind, start))
    }

    pub(super) fn signed32(&mut self, kind: Kind) -> Step<i32> {
        self.peek();
        let start = self.at;
        i32::try_from(self.signed(kind)?).map_err(|_| self.invalid_for(kind, start))
    }

    pub(super) fn unsigned32(&mut self, kind: Kind) -> Step<u32> {
        self.peek();
        let start = self.at;
        u32::try_from(self.unsigned(kind)?).map_err(|_| self.invalid_for(kind, start))
    }

    pub(super) fn double(&mut self) -> Step<f64> {
        self.floating(Kind::Double, f64::is_infinite, [f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
    }

    pub(super) fn float(&mut self) -> Step<f32> {
        self.floating(Kind::Float, f32::is_infinite, [f32::NAN, f32::INFINITY, f32::NEG_INFINITY])
    }

    /// Parsing at the type's own precision rounds once, and rightly.
    fn floating<F>(
        &mut self,
        kind: Kind,
        is_infinite: impl Fn(F) -> bool,
        [nan, infinity, negative_infinity]: [F; 3],
    ) -> Step<F>
    where
        F: std::str::FromStr + Copy,
    {
        self.peek();
        let start = self.at;
        let (text, quoted) = self.number_text(kind)?;
        if quoted {
            match &*text {
                b"NaN" => return Ok(nan),
                b"Infinity" => return Ok(infinity),
                b"-Infinity" => return Ok(negative_infinity),
                _ if number_length(&text) == Some(text.len()) => {}
                _ => return Err(self.invalid_for(kind, start)),
            }
        }
        let value: Option<F> = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        match value {
            Some(value) if !is_infinite(value) => Ok(value),
            _ => Err(self.invalid_for(kind, start)),
        }
    }
}

pub(super) fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// `-0` is zero.
pub(super) fn unsigned(negative: bool, magnitude: u64) -> Option<u64> {
    (!negative || magnitude == 0).then_some(magnitude)
}
