//! `Timestamp` and `Duration`.

use super::parser::{Parser, Step};
use crate::calendar::{MAX_DURATION, MAX_TIMESTAMP, MIN_TIMESTAMP, SECONDS_PER_DAY, days};
use crate::wire::{VARINT, put_tag, put_varint};

impl Parser<'_> {
    pub(super) fn timestamp(&mut self) -> Step {
        let start = self.at;
        let text = self.string_for("google.protobuf.Timestamp")?;
        match parse_timestamp(&text) {
            Some((seconds, nanos)) => self.seconds_and_nanos(seconds, nanos),
            None => return Err(self.invalid("a time of RFC 3339 in the years 1 to 9999", start)),
        }
        Ok(())
    }

    pub(super) fn duration(&mut self) -> Step {
        let start = self.at;
        let text = self.string_for("google.protobuf.Duration")?;
        match parse_duration(&text) {
            Some((seconds, nanos)) => self.seconds_and_nanos(seconds, nanos),
            None => return Err(self.invalid("seconds with up to nine decimals and the suffix s", start)),
        }
        Ok(())
    }

    fn seconds_and_nanos(&mut self, seconds: i64, nanos: i64) {
        for (number, value) in [(1, seconds), (2, nanos)] {
            if value != 0 {
                put_tag(self.out, number, VARINT);
                put_varint(self.out, value.cast_unsigned());
            }
        }
    }
}

/// `2006-01-02T15:04:05.999999999Z`, or an offset from UTC in place of the `Z`.
fn parse_timestamp(text: &[u8]) -> Option<(i64, i64)> {
    let (date, text) = text.split_first_chunk::<10>()?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else {
        return None;
    };
    let (time, text) = text.split_first_chunk::<9>()?;
    let [b'T', h1, h2, b':', i1, i2, b':', s1, s2] = *time else {
        return None;
    };
    let days = days(decimal(&[y1, y2, y3, y4])?, decimal(&[m1, m2])?, decimal(&[d1, d2])?)?;
    let second_of_day = time_of_day([h1, h2], [i1, i2])? + within(decimal(&[s1, s2])?, 60)?;
    let (nanos, text) = fraction(text)?;
    let offset = match *text {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let offset = time_of_day([h1, h2], [m1, m2])?;
            if sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let seconds = days * SECONDS_PER_DAY + second_of_day - offset;
    (MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&seconds).then_some((seconds, nanos))
}

/// Seconds of hours and minutes.
fn time_of_day(hours: [u8; 2], minutes: [u8; 2]) -> Option<i64> {
    Some(within(decimal(&hours)?, 24)? * 3600 + within(decimal(&minutes)?, 60)? * 60)
}

fn within(value: i64, limit: i64) -> Option<i64> {
    (value < limit).then_some(value)
}

/// `-1.5s`
fn parse_duration(text: &[u8]) -> Option<(i64, i64)> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let length = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, text) = text.split_at(length);
    let seconds = decimal(digits).filter(|&seconds| seconds <= MAX_DURATION)?;
    let (nanos, text) = fraction(text)?;
    if text != b"s" {
        return None;
    }
    Some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// A point and one to nine digits, in nanoseconds, or nothing; and what follows.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    if !(1..=9).contains(&length) {
        return None;
    }
    let (digits, rest) = rest.split_at(length);
    let scale = 10_i64.pow(9 - u32::try_from(length).ok()?);
    Some((decimal(digits)? * scale, rest))
}

fn decimal(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit & 0xf)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", (0, 0)),
            ("0001-01-01T00:00:00Z", (MIN_TIMESTAMP, 0)),
            ("9999-12-31T23:59:59.999999999Z", (MAX_TIMESTAMP, 999_999_999)),
            ("1970-01-01T00:00:00.5+01:00", (-3600, 500_000_000)),
            ("1969-12-31T23:00:00-01:00", (0, 0)),
            ("2024-02-29T12:34:56.000001Z", (1_709_210_096, 1000)),
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T00:00:00",
            "1970-01-01t00:00:00Z",
            "1970-01-01T00:00:00z",
            "1970-01-01 00:00:00Z",
            "1970-13-01T00:00:00Z",
            "1970-02-30T00:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00.1234567890Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "+970-01-01T00:00:00Z",
            "1970-01-01T00:00:00ZZ",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0s", (0, 0)),
            ("1.5s", (1, 500_000_000)),
            ("-0.000000001s", (0, -1)),
            ("315576000000.999999999s", (MAX_DURATION, 999_999_999)),
            ("-1s", (-1, 0)),
        ] {
            assert_eq!(parse_duration(text.as_bytes()), Some(expected), "{text}");
        }
        for text in
            ["", "s", "1", "1.s", ".5s", "1.1234567890s", "315576000001s", "--1s", "1 s", "1s ", "1e3s"]
        {
            assert_eq!(parse_duration(text.as_bytes()), None, "{text}");
        }
    }
}
