//! The `grpc-timeout` header: at most eight digits and a unit.

use std::time::Duration;

/// Reads a `grpc-timeout` value: 1 to 8 ASCII digits, then one of `H`, `M`, `S`, `m`, `u`, `n`.
///
/// ```
/// # use std::time::Duration;
/// use grpcws_proto::metadata::parse_timeout;
/// assert_eq!(parse_timeout("1500m"), Some(Duration::from_millis(1500)));
/// assert_eq!(parse_timeout("1.5S"), None);
/// ```
#[must_use]
pub fn parse_timeout(value: &str) -> Option<Duration> {
    let digits = value.get(..value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match value.as_bytes().last()? {
        b'H' => Some(Duration::from_secs(amount * 3600)),
        b'M' => Some(Duration::from_secs(amount * 60)),
        b'S' => Some(Duration::from_secs(amount)),
        b'm' => Some(Duration::from_millis(amount)),
        b'u' => Some(Duration::from_micros(amount)),
        b'n' => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// Writes a duration as a `grpc-timeout` value, in the finest unit that its eight digits can hold,
/// rounded up so that a deadline is never made shorter.
#[must_use]
pub fn format_timeout(timeout: Duration) -> String {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let nanos = timeout.as_nanos();
    for (size, unit) in UNITS {
        let amount = nanos.div_ceil(size);
        if amount <= 99_999_999 {
            return format!("{amount}{unit}");
        }
    }
    "99999999H".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_grammar_of_grpc_is_accepted() {
        for bad in ["", "S", "1", "123456789S", "-1S", "+1S", "1s", "1 S", "1é", "S1"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?}");
        }
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(parse_timeout("0n"), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_formatted_is_never_shorter() {
        for nanos in [0, 1, 99_999_999, 100_000_000, 100_000_001, 123_456_789_012_345_678] {
            let timeout = Duration::from_nanos(nanos);
            let back = parse_timeout(&format_timeout(timeout)).expect("own format");
            assert!(back >= timeout, "{timeout:?} {back:?}");
        }
    }
}
