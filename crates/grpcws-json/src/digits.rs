//! Decimal integers: three digits at a time out of a table, or eight at a time, and all of them in one word.

use crate::append::{count, put_block};

const MILLION: u64 = 1_000_000;
const EIGHT_DIGITS: u64 = 100_000_000;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The values of the three digits of every number below 1000, the first one in the lowest byte.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated when this is compiled; a wrong index would not compile"
)]
static THREE_DIGITS: [u32; 1024] = {
    let mut digits = [0; 1024];
    let mut value = 0;
    while value < 1000 {
        digits[value] =
            u32::from_le_bytes([(value / 100) as u8, (value / 10 % 10) as u8, (value % 10) as u8, 0]);
        value += 1;
    }
    digits
};

#[inline]
fn three_digits(value: u64) -> u64 {
    THREE_DIGITS.get((value & 1023) as usize).copied().map_or(0, u64::from)
}

/// As [`eight_digits`] for six digits.
#[inline]
fn six_digits(value: u64) -> u64 {
    three_digits(value / 1000) | three_digits(value % 1000) << 24
}

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

/// Appends an integer by sign and magnitude, in quotes or not, with a character behind it or not.
#[inline(always)]
pub(crate) fn put_integer<const QUOTED: bool, const BEHIND: u8>(
    out: &mut Vec<u8>,
    negative: bool,
    magnitude: u64,
) {
    if magnitude >= MILLION {
        return put_long_integer::<QUOTED, BEHIND>(out, negative, magnitude);
    }
    let (digits, length) = without_leading_zeros(six_digits(magnitude), 6);
    let (suffix, suffix_length) = const { suffix(QUOTED, BEHIND) };
    let text = digits | suffix << (8 * length);
    let length = length + suffix_length;
    if QUOTED {
        put_block(out, b"\"-", 1 + usize::from(negative));
        put_block(out, &text.to_le_bytes(), length);
    } else {
        put_signed_word(out, text, length, negative);
    }
}

/// Appends a text of at most seven bytes, and a minus before it if asked to.
#[inline]
fn put_signed_word(out: &mut Vec<u8>, text: u64, length: usize, negative: bool) {
    let text = if negative { text << 8 | u64::from(b'-') } else { text };
    put_block(out, &text.to_le_bytes(), length + usize::from(negative));
}

/// Digits as text, in the lowest bytes, and how many they are. The last one of `all` stays, also where it is zero.
#[inline]
fn without_leading_zeros(digits: u64, all: usize) -> (u64, usize) {
    let zeros = (digits | 1 << (8 * (all - 1))).trailing_zeros() / 8;
    let text = (digits | ZEROS >> (64 - 8 * all)) >> ((8 * zeros) & 63);
    (text, all - zeros as usize)
}

/// What stands behind a number, the first character in the lowest byte, and how many they are.
const fn suffix(quoted: bool, behind: u8) -> (u64, usize) {
    if quoted {
        ((behind as u64) << 8 | b'"' as u64, 1 + count(behind))
    } else {
        (behind as u64, count(behind))
    }
}

/// Appends up to eight digits without leading zeros, and what stands before them.
#[inline(always)]
fn put_first_digits<const QUOTED: bool>(out: &mut Vec<u8>, negative: bool, value: u64) {
    if QUOTED {
        put_block(out, b"\"-", 1 + usize::from(negative));
    } else {
        put_block(out, b"-", usize::from(negative));
    }
    let (text, length) = without_leading_zeros(eight_digits(value), 8);
    put_block(out, &text.to_le_bytes(), length);
}

#[inline(never)]
fn put_long_integer<const QUOTED: bool, const BEHIND: u8>(out: &mut Vec<u8>, negative: bool, magnitude: u64) {
    let (before, last) = (magnitude / EIGHT_DIGITS, magnitude % EIGHT_DIGITS);
    if before == 0 {
        put_first_digits::<QUOTED>(out, negative, last);
    } else {
        if before < EIGHT_DIGITS {
            put_first_digits::<QUOTED>(out, negative, before);
        } else {
            put_first_digits::<QUOTED>(out, negative, before / EIGHT_DIGITS);
            out.extend_from_slice(&eight_digits_text(before % EIGHT_DIGITS));
        }
        out.extend_from_slice(&eight_digits_text(last));
    }
    let (suffix, length) = const { suffix(QUOTED, BEHIND) };
    put_block(out, &suffix.to_le_bytes(), length);
}

/// Appends a number of millionths, below 10^14, as a decimal without trailing zeros.
#[inline]
pub(crate) fn put_millionths<const BEHIND: u8>(out: &mut Vec<u8>, negative: bool, millionths: u64) {
    let (whole, fraction) = (millionths / MILLION, millionths % MILLION);
    let digits = six_digits(fraction);
    let length = 8 - digits.leading_zeros() / 8;
    // The point is only there before a digit.
    let length = if length == 0 { 0 } else { length + 1 };
    let inside = (1 << (8 * length)) - 1;
    let text = ((digits | ZEROS) << 8 | u64::from(b'.')) & inside | u64::from(BEHIND) << (8 * length);
    if whole < MILLION {
        let (digits, length) = without_leading_zeros(six_digits(whole), 6);
        put_signed_word(out, digits, length, negative);
    } else {
        put_first_digits::<false>(out, negative, whole);
    }
    put_block(out, &text.to_le_bytes(), length as usize + count(BEHIND));
}

#[inline]
pub(crate) fn put_signed<const QUOTED: bool, const BEHIND: u8>(out: &mut Vec<u8>, value: i64) {
    put_integer::<QUOTED, BEHIND>(out, value < 0, value.unsigned_abs());
}

#[inline]
pub(crate) fn put_unsigned<const QUOTED: bool, const BEHIND: u8>(out: &mut Vec<u8>, value: u64) {
    put_integer::<QUOTED, BEHIND>(out, false, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::{COMMA, NOTHING};

    fn check(value: i64) {
        let mut out = Vec::new();
        put_signed::<false, NOTHING>(&mut out, value);
        put_unsigned::<true, COMMA>(&mut out, value.unsigned_abs());
        put_signed::<true, COMMA>(&mut out, value);
        put_unsigned::<false, COMMA>(&mut out, value.cast_unsigned());
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

    #[test]
    fn every_number_of_three_digits() {
        for value in 0..1000 {
            check(value);
            check(value * 1000);
            check(-value);
        }
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
