//! `until`: TOML's dates and times as nanoseconds since 1970.

use toml_edit::{Date, Datetime, Item, Offset, Value};

use super::diagnostics::Wrong;
use super::tables::{Entry, not_as};

const DAY_NS: i128 = 86_400_000_000_000;
const SECOND_NS: i128 = 1_000_000_000;

/// The moment that `entry` says: a date is its first moment, and a time without a zone is UTC.
pub(super) fn until(entry: Entry<'_>) -> Result<u64, Wrong> {
    match entry.item {
        Item::Value(Value::Datetime(moment)) => nanoseconds(moment.value()).ok_or_else(|| {
            Wrong::new("`until` is a time of day without a date").hint("write `until = 2027-01-31`")
        }),
        Item::Value(Value::String(_)) => {
            Err(not_as(entry, "a date").hint("write it without quotes: `until = 2027-01-31`"))
        }
        _ => {
            Err(not_as(entry, "a date").hint("write `until = 2027-01-31` or `until = 2027-01-31T18:00:00Z`"))
        }
    }
}

fn nanoseconds(moment: &Datetime) -> Option<u64> {
    let mut total = days(moment.date?) * DAY_NS;
    if let Some(time) = moment.time {
        let minutes = i128::from(time.hour) * 60 + i128::from(time.minute);
        let seconds = minutes * 60 + i128::from(time.second.unwrap_or(0));
        total += seconds * SECOND_NS + i128::from(time.nanosecond.unwrap_or(0));
    }
    if let Some(Offset::Custom { minutes }) = moment.offset {
        total -= i128::from(minutes) * 60 * SECOND_NS;
    }
    // Later than 2554 is never.
    Some(u64::try_from(total.max(0)).unwrap_or(u64::MAX))
}

/// Days since 1970 in the Gregorian calendar (Howard Hinnant's `days_from_civil`).
fn days(date: Date) -> i128 {
    let (month, day) = (i128::from(date.month), i128::from(date.day));
    let year = i128::from(date.year) - i128::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_counted_from_1970_in_utc() {
        for (written, seconds) in [
            ("1970-01-01", 0),
            ("1969-12-31", 0),
            ("2000-02-29", 951_782_400),
            ("2000-03-01", 951_868_800),
            ("2027-01-31T18:00:00Z", 1_801_418_400),
            ("2027-01-31T18:00:00", 1_801_418_400),
            ("2027-01-31T19:00:00+01:00", 1_801_418_400),
        ] {
            let moment: Datetime = written.parse().unwrap();
            assert_eq!(nanoseconds(&moment), Some(seconds * 1_000_000_000), "{written}");
        }
        assert_eq!(nanoseconds(&"18:00:00".parse().unwrap()), None);
        assert_eq!(nanoseconds(&"9999-12-31".parse().unwrap()), Some(u64::MAX));
    }
}
