//! The grammar of JSON's numbers, and exact integers of them.

/// The length of the number at the beginning of the text; `None` where there is none.
pub(super) fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    match digits(at) {
        0 => return None,
        // A leading zero stands alone.
        length if length > 1 && text.get(at) == Some(&b'0') => return None,
        length => at += length,
    }
    if text.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            length => at += 1 + length,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        match digits(at) {
            0 => return None,
            length => at += length,
        }
    }
    Some(at)
}

/// The integer that a number is, by sign and magnitude, however it is written; `None` where it is not one, or is beyond 64
/// bits. The text follows the grammar.
pub(super) fn integer(text: &[u8]) -> Option<(bool, u64)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let plain = text.iter().all(u8::is_ascii_digit);
    let magnitude = if plain { digits_to_u64(text.iter().copied(), 0)? } else { scaled(text)? };
    Some((negative, magnitude))
}

/// `123.4500e2`: digits, with the point moved.
fn scaled(text: &[u8]) -> Option<u64> {
    let split = text.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (mantissa, exponent) = match split {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, &b"0"[..]),
    };
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let (whole, fraction) = mantissa.split_at(point);
    let fraction = fraction.get(1..).unwrap_or_default();
    let digits = || whole.iter().chain(fraction).copied();
    let Some(trailing_zeros) = digits().rev().position(|digit| digit != b'0') else {
        // Zero, whatever the exponent.
        return Some(0);
    };
    let significant = whole.len() + fraction.len() - trailing_zeros;
    // Beyond that no number of digits that fits in memory makes a difference.
    let exponent = saturating_exponent(exponent);
    let after_point = i64::try_from(significant).ok()?.checked_sub(i64::try_from(whole.len()).ok()?)?;
    // Zeros to append to the digits up to the last one that is not zero.
    let zeros = exponent.checked_sub(after_point)?;
    let zeros = u32::try_from(zeros).ok().filter(|&zeros| zeros < 20)?;
    digits_to_u64(digits().take(significant), zeros)
}

fn saturating_exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let magnitude = digits
        .iter()
        .fold(0_i64, |value, &digit| value.saturating_mul(10).saturating_add(i64::from(digit & 0xf)));
    if negative { -magnitude } else { magnitude }
}

fn digits_to_u64(digits: impl Iterator<Item = u8>, zeros: u32) -> Option<u64> {
    let mut value = 0_u64;
    for digit in digits {
        value = value.checked_mul(10)?.checked_add(u64::from(digit & 0xf))?;
    }
    value.checked_mul(10_u64.checked_pow(zeros)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for text in ["0", "-0", "1", "10", "1.0", "1e3", "1E+3", "1.5e-3", "-12.50"] {
            assert_eq!(number_length(text.as_bytes()), Some(text.len()), "{text}");
        }
        for text in ["", "-", "01", "+1", ".5", "1.", "1e", "1e+", "-a", "00"] {
            assert_eq!(number_length(text.as_bytes()), None, "{text}");
        }
        assert_eq!(number_length(b"12,"), Some(2));
    }

    #[test]
    fn integers_in_every_form() {
        for (text, value) in [
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            ("1e3", 1000),
            ("1.0", 1),
            ("100000.000", 100_000),
            ("0.00012e5", 12),
            ("1200e-2", 12),
            ("1.8446744073709551615e19", u64::MAX),
            ("0e999999999999999999999999", 0),
            ("0.000e-99999999999999999999", 0),
            ("9007199254740993", 9_007_199_254_740_993),
        ] {
            assert_eq!(integer(text.as_bytes()), Some((false, value)), "{text}");
        }
        assert_eq!(integer(b"-9223372036854775808"), Some((true, 1 << 63)));
    }

    #[test]
    fn not_integers() {
        for text in [
            "0.5",
            "1.5",
            "1e-1",
            "18446744073709551616",
            "1e20",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "12e-2",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
