//! `Timestamp` and `Duration`.

use std::ops::Range;

use super::writer::{Step, Stop, Writer};
use crate::append::{NOTHING, put_block};
use crate::calendar::{MAX_DURATION, MAX_TIMESTAMP, MIN_TIMESTAMP, SECONDS_PER_DAY, date};
use crate::digits::{eight_digits_text, put_unsigned};
use crate::error::ToJsonErrorKind;
use crate::wire::VARINT;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

impl Writer<'_> {
    pub(super) fn timestamp(&mut self, pieces: &[Range<usize>]) -> Step {
        let (seconds, nanos) = self.seconds_and_nanos(pieces)?;
        if !(MIN_TIMESTAMP..=MAX_TIMESTAMP).contains(&seconds) || !(0..NANOS_PER_SECOND).contains(&nanos) {
            return Err(out_of_range("the timestamp is out of range", pieces));
        }
        let (year, month, day) = date(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let [y1, y2, y3, y4, m1, m2, d1, d2] = eight((year * 100 + month) * 100 + day);
        let [_, _, h1, h2, i1, i2, s1, s2] = eight((hour * 100 + minute) * 100 + second);
        self.out.extend_from_slice(&[
            b'"', y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2,
        ]);
        self.fraction(nanos);
        self.out.extend_from_slice(b"Z\"");
        Ok(())
    }

    pub(super) fn duration(&mut self, pieces: &[Range<usize>]) -> Step {
        let (seconds, nanos) = self.seconds_and_nanos(pieces)?;
        let signs_differ = seconds.signum() * nanos.signum() < 0;
        if signs_differ
            || seconds.unsigned_abs() > MAX_DURATION.unsigned_abs()
            || nanos.abs() >= NANOS_PER_SECOND
        {
            return Err(out_of_range("the duration is out of range", pieces));
        }
        self.out.push(b'"');
        if seconds < 0 || nanos < 0 {
            self.out.push(b'-');
        }
        put_unsigned::<false, NOTHING>(&mut self.out, seconds.unsigned_abs());
        self.fraction(nanos.abs());
        self.out.extend_from_slice(b"s\"");
        Ok(())
    }

    /// Prints no digits, or as many groups of three as are needed.
    fn fraction(&mut self, nanos: i64) {
        if nanos == 0 {
            return;
        }
        let [d1, d2, d3, d4, d5, d6, d7, d8] = eight(nanos / 10);
        let [.., d9] = eight(nanos % 10);
        let length = match (nanos % 1_000_000, nanos % 1000) {
            (0, _) => 4,
            (_, 0) => 7,
            _ => 10,
        };
        put_block(&mut self.out, &[b'.', d1, d2, d3, d4, d5, d6, d7, d8, d9], length);
    }

    #[expect(clippy::cast_possible_truncation, reason = "an int32 is the low 32 bits of its varint")]
    fn seconds_and_nanos(&self, pieces: &[Range<usize>]) -> Step<(i64, i64)> {
        let (mut seconds, mut nanos) = (0, 0);
        self.scan(pieces, |number, wire_type, reader| {
            match (number, wire_type) {
                (1, VARINT) => seconds = reader.varint()?.cast_signed(),
                (2, VARINT) => nanos = i64::from((reader.varint()? as u32).cast_signed()),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok((seconds, nanos))
    }
}

/// The digits of a number that is not negative and has at most eight.
fn eight(value: i64) -> [u8; 8] {
    eight_digits_text(value.unsigned_abs())
}

#[cold]
fn out_of_range(text: &'static str, pieces: &[Range<usize>]) -> Stop {
    let offset = pieces.first().map_or(0, |piece| piece.start);
    Stop::new(ToJsonErrorKind::WellKnownType(text), offset)
}
