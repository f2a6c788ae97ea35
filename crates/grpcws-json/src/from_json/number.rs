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

    /// Reads an integer; `convert` makes the value of its sign and magnitude.
    #[inline(always)]
    pub(super) fn integer<T>(&mut self, kind: Kind, convert: impl Fn(bool, u64) -> Option<T>) -> Step<T> {
        self.peek();
        let start = self.at;
        let (negative, magnitude) = match self.short_integer() {
            Some(found) => found,
            None => self.any_integer(kind)?,
        };
        convert(negative, magnitude).ok_or_else(|| self.invalid_for(kind, start))
    }

    #[inline(never)]
    fn any_integer(&mut self, kind: Kind) -> Step<(bool, u64)> {
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
    #[inline(always)]
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
        self.integer(kind, signed)
    }

    pub(super) fn unsigned(&mut self, kind: Kind) -> Step<u64> {
        self.integer(kind, unsigned)
    }

    pub(super) fn signed32(&mut self, kind: Kind) -> Step<i32> {
        self.integer(kind, signed32)
    }

    pub(super) fn unsigned32(&mut self, kind: Kind) -> Step<u32> {
        self.integer(kind, unsigned32)
    }

    #[inline]
    pub(super) fn double(&mut self) -> Step<f64> {
        self.peek();
        match self.short_decimal() {
            Some(value) => Ok(value),
            None => {
                self.floating(Kind::Double, f64::is_infinite, [f64::NAN, f64::INFINITY, f64::NEG_INFINITY])
            }
        }
    }

    #[inline]
    pub(super) fn float(&mut self) -> Step<f32> {
        self.peek();
        let start = self.at;
        if let Some(value) = self.short_decimal() {
            // Rounding twice is rounding once, unless the first time ends half-way between two floats.
            const HALF_WAY: u64 = 1 << 28;
            if value.to_bits() & (2 * HALF_WAY - 1) != HALF_WAY {
                #[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
                return Ok(value as f32);
            }
            self.at = start;
        }
        self.floating(Kind::Float, f32::is_infinite, [f32::NAN, f32::INFINITY, f32::NEG_INFINITY])
    }

    /// Reads a bare number of few digits without an exponent; reads nothing where that is not next.
    ///
    /// Digits that are an exact double, divided by a power of ten that is one too, are rounded once, and so rightly.
    #[inline]
    fn short_decimal(&mut self) -> Option<f64> {
        const LARGEST: u64 = 1 << 53;
        let rest = self.text.get(self.at..)?;
        let (negative, unsigned) = match rest {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, rest),
        };
        let (whole, length) = digits(unsigned, 0);
        let leading_zero = length > 1 && unsigned.first() == Some(&b'0');
        let mut end = length;
        let mut value = whole;
        let mut decimals = 0;
        if unsigned.get(length) == Some(&b'.') {
            (value, decimals) = digits(unsigned.get(length + 1..)?, whole);
            if decimals == 0 {
                return None;
            }
            end += 1 + decimals;
        }
        let power = *POWERS_OF_TEN.get(decimals)?;
        let more = matches!(unsigned.get(end), Some(b'e' | b'E'));
        if length == 0 || leading_zero || more || length + decimals > SHORT || value > LARGEST {
            return None;
        }
        self.at += usize::from(negative) + end;
        #[expect(clippy::cast_precision_loss, reason = "not above 2^53")]
        let magnitude = value.cast_signed() as f64 / power;
        Some(if negative { -magnitude } else { magnitude })
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

/// Those that are exact.
const POWERS_OF_TEN: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
];

/// Appends the digits at the beginning of the text to a number, and tells how many they are. The number is of no use
/// where they are more than [`SHORT`] in all.
#[inline]
fn digits(text: &[u8], mut value: u64) -> (u64, usize) {
    let mut length = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        length += 1;
    }
    (value, length)
}

#[inline]
pub(super) fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[inline]
pub(super) fn signed32(negative: bool, magnitude: u64) -> Option<i32> {
    i32::try_from(signed(negative, magnitude)?).ok()
}

#[inline]
pub(super) fn unsigned32(negative: bool, magnitude: u64) -> Option<u32> {
    u32::try_from(unsigned(negative, magnitude)?).ok()
}

/// `-0` is zero.
#[inline]
pub(super) fn unsigned(negative: bool, magnitude: u64) -> Option<u64> {
    (!negative || magnitude == 0).then_some(magnitude)
}

#[cfg(test)]
mod tests {
    use crate::{Table, UnmarshalOptions};

    /// What a wrapper of floating-point numbers has on the wire, for a JSON number; zero is left out.
    fn wire(name: &str, text: &str) -> Vec<u8> {
        let table = Table::from_file_descriptor_set(&[]).expect("the well-known types are always there");
        let mut wire = Vec::new();
        table
            .message(name)
            .expect("a well-known type")
            .from_json(text.as_bytes(), &UnmarshalOptions::default(), &mut wire)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        wire.split_off(usize::from(!wire.is_empty()))
    }

    fn check(text: &str) {
        let double: f64 = text.parse().expect("a number");
        let expected = if double.to_bits() == 0 { Vec::new() } else { double.to_le_bytes().to_vec() };
        assert_eq!(wire("google.protobuf.DoubleValue", text), expected, "{text}");
        let float: f32 = text.parse().expect("a number");
        let expected = if float.to_bits() == 0 { Vec::new() } else { float.to_le_bytes().to_vec() };
        assert_eq!(wire("google.protobuf.FloatValue", text), expected, "{text}");
    }

    #[test]
    fn decimals_are_rounded_once() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let digits = (state >> (state >> 58)).to_string();
            let point = (state >> 20) as usize % digits.len();
            check(&format!("{}.{}", if point == 0 { "0" } else { &digits[..point] }, &digits[point..]));
            check(&format!("-{digits}"));
        }
    }

    /// Decimals that lie half-way between two floats, and so close to it that a double does not show the difference.
    #[test]
    fn half_way_between_floats() {
        for bits in [0x3f80_0000_u32, 0x3f80_0001, 0x4b00_0000, 0x0800_0001, 0x1f12_3456] {
            let (below, above) = (f32::from_bits(bits), f32::from_bits(bits + 1));
            let half_way = f64::midpoint(f64::from(below), f64::from(above));
            for double in [half_way, half_way.next_up(), half_way.next_down()] {
                check(&format!("{double:?}"));
            }
        }
        check("1.0000000596046448");
        check("1.000000059604644775390625");
        check("1.0000000596046447753906250000000001");
    }
}
