//! Days since 1970-01-01 ⇄ proleptic Gregorian dates, and the bounds of the time types.

/// 0001-01-01T00:00:00Z
pub(crate) const MIN_TIMESTAMP: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
pub(crate) const MAX_TIMESTAMP: i64 = 253_402_300_799;
/// Seconds of 10,000 years, either way.
pub(crate) const MAX_DURATION: i64 = 315_576_000_000;
pub(crate) const SECONDS_PER_DAY: i64 = 86_400;

/// Days from 0000-03-01 to 1970-01-01; years that begin in March have their leap day last.
const EPOCH: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// The date `days` after 1970-01-01: year, month, day.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + EPOCH;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to the date; `None` where there is no such date.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * DAYS_PER_ERA + day_of_era - EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years() {
        let first = MIN_TIMESTAMP / SECONDS_PER_DAY;
        let last = MAX_TIMESTAMP / SECONDS_PER_DAY;
        assert_eq!(date(first), (1, 1, 1));
        assert_eq!(date(last), (9999, 12, 31));
        assert_eq!(date(0), (1970, 1, 1));
        let mut previous = (0, 0, 0);
        for day in first..=last {
            let found = date(day);
            assert!(found > previous);
            assert_eq!(days(found.0, found.1, found.2), Some(day));
            previous = found;
        }
    }

    #[test]
    fn no_such_date() {
        for (year, month, day) in
            [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (2024, 1, 0)]
        {
            assert_eq!(days(year, month, day), None);
        }
    }
}
