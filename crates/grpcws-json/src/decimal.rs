//! Floating-point numbers as the shortest decimal that reads back as the same number.
//!
//! What people and machines write down mostly has a few decimals only. Such a number is found by scaling it to an
//! integer: where that integer, scaled back, is the number again, it holds the digits. Two decimals of at most 15 digits are
//! never the same double, nor two of at most 6 the same float, so there is no shorter one, and none that is closer.
//! Everything else goes to `zmij`.

use crate::append::{COMMA, count, put_block, put_short};
use crate::digits::put_millionths;

/// Decimals that are tried.
const MILLION: f64 = 1e6;

/// Doubles below this have at most 15 digits, six of them behind the point.
const LARGEST: f64 = 1e8;

/// Appends a double; those that are not numbers as the strings that protojson has for them.
#[inline]
pub(crate) fn put_double<const BEHIND: u8>(out: &mut Vec<u8>, value: f64) {
    match millionths(value) {
        Some(millionths) => put_millionths::<BEHIND>(out, value.is_sign_negative(), millionths),
        None => put_any::<BEHIND>(out, value, value.is_finite(), value.is_nan(), value.is_sign_negative()),
    }
}

/// How many millionths a double is, if it has no more decimals than that.
#[inline]
fn millionths(value: f64) -> Option<u64> {
    let magnitude = value.abs();
    if magnitude < LARGEST {
        let (millionths, rounded) = rounded(magnitude * MILLION);
        let scaled_back = rounded / MILLION;
        if scaled_back.to_bits() == magnitude.to_bits() && value.to_bits() != 1 << 63 {
            return Some(millionths);
        }
    }
    None
}

/// Appends the text of the double before, and either a double with a comma or nothing: then it is returned as text, which
/// is to be appended later.
///
/// What was just written in several pieces cannot be read in one before it has left the processor's queue of stores. With
/// another number made in between, it has: a row of numbers with all their digits takes a sixth less time.
#[inline]
pub(crate) fn put_double_behind<'b>(
    out: &mut Vec<u8>,
    before: &str,
    buffer: &'b mut zmij::Buffer,
    value: f64,
) -> &'b str {
    match millionths(value) {
        Some(millionths) => {
            put_delayed(out, before);
            put_millionths::<COMMA>(out, value.is_sign_negative(), millionths);
        }
        None if value.is_finite() => {
            let text = shortest(buffer, value);
            put_delayed(out, before);
            return text;
        }
        None => {
            put_delayed(out, before);
            put_double::<COMMA>(out, value);
        }
    }
    ""
}

/// Appends a text that [`put_double_behind`] returned, and a comma.
#[inline]
pub(crate) fn put_delayed(out: &mut Vec<u8>, text: &str) {
    if !text.is_empty() {
        put_short(out, text.as_bytes());
        out.push(COMMA);
    }
}

#[inline]
fn shortest(buffer: &mut zmij::Buffer, value: impl zmij::Float) -> &str {
    let text = buffer.format_finite(value);
    // `-0` would be an integer, and as that zero, to some parsers.
    if text == "-0.0" { text } else { text.strip_suffix(".0").unwrap_or(text) }
}

/// Appends a float in its own precision.
#[inline]
pub(crate) fn put_float<const BEHIND: u8>(out: &mut Vec<u8>, value: f32) {
    let magnitude = f64::from(value.abs());
    if magnitude < MILLION {
        // As many decimals as leave six digits in all.
        let power = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5].iter().filter(|&&power| magnitude >= power).count();
        let (scale, unit) = SIX_DIGITS.get(power).copied().unwrap_or_default();
        let (digits, rounded) = rounded(magnitude * scale);
        #[expect(clippy::cast_possible_truncation, reason = "at most six digits")]
        let scaled_back = (rounded / scale) as f32;
        if f64::from(scaled_back).to_bits() == magnitude.to_bits() && value.to_bits() != 1 << 31 {
            return put_millionths::<BEHIND>(out, value.is_sign_negative(), digits * unit);
        }
    }
    put_any::<BEHIND>(out, value, value.is_finite(), value.is_nan(), value.is_sign_negative());
}

/// What makes an integer of six digits of a float, by the digits before its point, and how many millionths are one of it.
const SIX_DIGITS: [(f64, u64); 7] =
    [(1e6, 1), (1e5, 10), (1e4, 100), (1e3, 1000), (1e2, 10_000), (1e1, 100_000), (1.0, 1_000_000)];

/// The nearest integer of a number that is not negative and below 2^51, as one and as a double.
#[inline]
fn rounded(scaled: f64) -> (u64, f64) {
    // From here to 2^53, the doubles are the integers, and their lowest bits count on.
    const INTEGERS: f64 = (1_u64 << 52) as f64;
    let shifted = scaled + INTEGERS;
    (shifted.to_bits() & ((1 << 52) - 1), shifted - INTEGERS)
}

#[inline(never)]
fn put_any<const BEHIND: u8>(
    out: &mut Vec<u8>,
    value: impl zmij::Float,
    finite: bool,
    nan: bool,
    negative: bool,
) {
    if !finite {
        out.extend_from_slice(match (nan, negative) {
            (true, _) => b"\"NaN\"",
            (false, true) => b"\"-Infinity\"",
            (false, false) => b"\"Infinity\"",
        });
        return put_block(out, &[BEHIND], count(BEHIND));
    }
    let mut buffer = zmij::Buffer::new();
    put_short(out, shortest(&mut buffer, value).as_bytes());
    put_block(out, &[BEHIND], count(BEHIND));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::NOTHING;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        put_double::<NOTHING>(&mut out, value);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    fn float(value: f32) -> String {
        let mut out = Vec::new();
        put_float::<NOTHING>(&mut out, value);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    /// Digits without point, sign, leading and trailing zeros, of a number without an exponent or with one.
    fn significant(text: &str) -> String {
        let mantissa = text.split('e').next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_start_matches('0').trim_end_matches('0').to_owned()
    }

    fn check_double(value: f64) {
        let text = double(value);
        assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()), "{text}");
        assert_eq!(significant(&text), significant(zmij::Buffer::new().format_finite(value)), "{text}");
    }

    fn check_float(value: f32) {
        let text = float(value);
        assert_eq!(text.parse::<f32>().map(f32::to_bits), Ok(value.to_bits()), "{text}");
        assert_eq!(significant(&text), significant(zmij::Buffer::new().format_finite(value)), "{text}");
    }

    #[test]
    fn known_doubles() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0.0"),
            (1.5, "1.5"),
            (-0.25, "-0.25"),
            (100.0, "100"),
            (99_999_999.999_999, "99999999.999999"),
            (0.000_001, "0.000001"),
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            assert_eq!(double(value), text);
        }
        for value in
            [1e300, 5e-324, f64::MAX, 0.1 + 0.2, 1e21, 1e-7, 123_456_789_012_345_680.0, 1e8, 1e8 - 1e-8]
        {
            check_double(value);
            check_double(-value);
        }
    }

    #[test]
    fn floats_are_shortest_in_their_own_precision() {
        for (value, text) in [(0.1, "0.1"), (1999.99, "1999.99"), (-123_456.0, "-123456"), (-0.0, "-0.0")] {
            assert_eq!(float(value), text);
        }
        for value in [f32::MAX, f32::MIN_POSITIVE, 1e-45, 999_999.5, 9_999_995.0, 0.1 + 0.2, 1e6, 1e-6] {
            check_float(value);
        }
    }

    #[test]
    fn random_numbers_are_the_same_as_with_zmij() {
        let mut state = 1_u64;
        for _ in 0..400_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ (state >> 31);
            let decimals = 10_f64.powi((bits >> 8 & 7) as i32);
            let few_digits = ((bits >> 24) % 100_000_000) as f64 / decimals;
            check_double(few_digits);
            check_double(f64::from_bits(few_digits.to_bits() + (bits & 1)));
            check_float(few_digits as f32);
            check_float(f32::from_bits((few_digits as f32).to_bits() + (bits & 1) as u32));
            let (any, any_float) = (f64::from_bits(bits), f32::from_bits(bits as u32));
            if any.is_finite() {
                check_double(any);
            }
            if any_float.is_finite() {
                check_float(any_float);
            }
        }
    }
}
