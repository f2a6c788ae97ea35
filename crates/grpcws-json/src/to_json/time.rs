//! `Timestamp` and `Duration`.

use std::io::Write as _;
use std::ops::Range;

use super::writer::{Step, Stop, Writer};
use crate::calendar::{MAX_DURATION, MAX_TIMESTAMP, MIN_TIMESTAMP, SECONDS_PER_DAY, date};
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
        self.print(format_args!("\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"));
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
        let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
        self.print(format_args!("\"{sign}{}", seconds.abs()));
        self.fraction(nanos.abs());
        self.out.extend_from_slice(b"s\"");
        Ok(())
    }

    /// Prints no digits, or as many groups of three as are needed.
    fn fraction(&mut self, nanos: i64) {
        if nanos == 0 {
            return;
        }
        if nanos % 1_000_000 == 0 {
            self.print(format_args!(".{:03}", nanos / 1_000_000));
        } else if nanos % 1000 == 0 {
            self.print(format_args!(".{:06}", nanos / 1000));
        } else {
            self.print(format_args!(".{nanos:09}"));
        }
    }

    fn print(&mut self, arguments: std::fmt::Arguments<'_>) {
        self.out.write_fmt(arguments).expect("a Vec takes every write");
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

#[cold]
fn out_of_range(text: &'static str, pieces: &[Range<usize>]) -> Stop {
    let offset = pieces.first().map_or(0, |piece| piece.start);
    Stop::new(ToJsonErrorKind::WellKnownType(text), offset)
}
