//! Decimal integers: eight digits at a time, all of them in one word.

use crate::append::put_block;

const EIGHT_DIGITS: u64 = 100_000_000;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The values of the eight digits of a number below 10^8, the first one in the lowest byte.
///
/// Each step divides in all lanes of the word at once; the products with rounded reciprocals are exact for values this
/// small.
#[inline]
const fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 5243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

/// The digits of a number below 10^8 as text.
#[inline]
pub(crate) const fn eight_digits_text(value: u64) -> [u8; 8] {
    (eight_digits(value) | ZEROS).to_le_bytes()
}

/// Appends an integer by sign and magnitude, in quotes or not, with a comma behind it or not.
#[inline]
pub(crate) fn put_integer<const QUOTED: bool, const COMMA: bool>(
    out: &mut Vec<u8>,
    negative: bool,
    magnitude: u64,
) {
    if magnitude < EIGHT_DIGITS {
        put_first_digits::<QUOTED>(out, negative, magnitude, suffix::<QUOTED, COMMA>());
    } else {
        put_long_integer::<QUOTED, COMMA>(out, negative, magnitude);
    }
}

/// What stands behind a number: at most two characters, the first one in the lowest byte.
const fn suffix<const QUOTED: bool, const COMMA: bool>() -> &'static [u8] {
    match (QUOTED, COMMA) {
        (true, true) => b"\",",
        (true, false) => b"\"",
        (false, true) => b",",
        (false, false) => b"",
    }
}

/// Appends up to eight digits without leading zeros, what stands before them, and a short suffix: all in a register.
#[inline(always)]
fn put_first_digits<const QUOTED: bool>(out: &mut Vec<u8>, negative: bool, value: u64, suffix: &[u8]) {
    let digits = eight_digits(value);
    // The last digit stays, also where it is zero.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    let behind = suffix.iter().rev().fold(0, |word, &byte| word << 8 | u128::from(byte));
    let mut text = (u128::from(digits | ZEROS) | behind << 64) >> ((8 * zeros) & 63);
    let mut length = 8 - zeros as usize + suffix.len();
    if negative {
        text = text << 8 | u128::from(b'-');
        length += 1;
    }
    if QUOTED {
        text = text << 8 | u128::from(b'"');
        length += 1;
    }
    put_block(out, &text.to_le_bytes(), length);
}

#[inline(never)]
fn put_long_integer<const QUOTED: bool, const COMMA: bool>(
    out: &mut Vec<u8>,
    negative: bool,
    magnitude: u64,
) {
    let (before, last) = (magnitude / EIGHT_DIGITS, magnitude % EIGHT_DIGITS);
    if before < EIGHT_DIGITS {
        put_first_digits::<QUOTED>(out, negative, before, b"");
    } else {
        put_first_digits::<QUOTED>(out, negative, before / EIGHT_DIGITS, b"");
        out.extend_from_slice(&eight_digits_text(before % EIGHT_DIGITS));
    }
    out.extend_from_slice(&eight_digits_text(last));
    out.extend_from_slice(suffix::<QUOTED, COMMA>());
}

/// Appends a number of millionths, below 10^14, as a decimal without trailing zeros.
#[inline]
pub(crate) fn put_millionths<const COMMA: bool>(out: &mut Vec<u8>, negative: bool, millionths: u64) {
    put_first_digits::<false>(out, negative, millionths / 1_000_000, b"");
    // Six digits behind the point, and two zeros that have their place.
    let digits = eight_digits(millionths % 1_000_000 * 100);
    let length = 8 - digits.leading_zeros() / 8;
    let text = (digits | ZEROS) << 8 | u64::from(b'.');
    // The point is only there before a digit.
    let length = if length == 0 { 0 } else { length + 1 };
    let inside = (1 << (8 * length)) - 1;
    let text = text & inside | if COMMA { u64::from(b',') << (8 * length) } else { 0 };
    put_block(out, &text.to_le_bytes(), length as usize + usize::from(COMMA));
}

#[inline]
pub(crate) fn put_signed<const QUOTED: bool, const COMMA: bool>(out: &mut Vec<u8>, value: i64) {
    put_integer::<QUOTED, COMMA>(out, value < 0, value.unsigned_abs());
}

#[inline]
pub(crate) fn put_unsigned<const QUOTED: bool, const COMMA: bool>(out: &mut Vec<u8>, value: u64) {
    put_integer::<QUOTED, COMMA>(out, false, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: i64) {
        let mut out = Vec::new();
        put_signed::<false, false>(&mut out, value);
        put_unsigned::<true, true>(&mut out, value.unsigned_abs());
        put_signed::<true, true>(&mut out, value);
        put_unsigned::<false, true>(&mut out, value.cast_unsigned());
        let (magnitude, unsigned) = (value.unsigned_abs(), value.cast_unsigned());
        let expected = format!("{value}\"{magnitude}\",\"{value}\",{unsigned},");
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected);
    }

    #[test]
    fn every_number_of_digits() {
        let mut value = 1_i64;
        loop {
            for near in [value - 1, value, value + 1, value.saturating_mul(7) / 3] {
                check(near);
                check(-near);
            }
            match value.checked_mul(10) {
                Some(next) => value = next,
                None => break,
            }
        }
        check(i64::MAX);
        check(i64::MIN);
        check(-1);
    }

    /// The reciprocals are exact for every value that a step sees: below 10^4, and below 100.
    #[test]
    fn every_group_of_four_digits() {
        for value in 0..10_000_u64 {
            let both = value * 10_000 + (9_999 - value);
            assert_eq!(eight_digits_text(both).to_vec(), format!("{both:08}").into_bytes());
        }
    }
}
