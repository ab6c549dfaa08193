//! Days and months by which quotas are counted: calendar periods in UTC, written as in RFC 3339.

use std::fmt;

use serde::{Serialize, Serializer};
use time::{Date, Month as CalendarMonth, OffsetDateTime, Time};

use crate::Timestamp;

/// A day in UTC, displayed as `2026-11-21`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// A month in UTC, displayed as `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: CalendarMonth,
}

fn date(at: Timestamp) -> Date {
    OffsetDateTime::from_unix_timestamp(at.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH).date()
}

fn midnight(date: Date) -> Timestamp {
    Timestamp::from_secs(OffsetDateTime::new_utc(date, Time::MIDNIGHT).unix_timestamp())
}

impl Day {
    /// Returns the day of a time.
    pub fn of(at: Timestamp) -> Self {
        Self(date(at))
    }

    /// Parses `2026-11-21`. Other spellings of the same day are refused.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = CalendarMonth::try_from(month.parse::<u8>().ok()?).ok()?;
        let day = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok().map(Self)?;
        (day.to_string() == text).then_some(day)
    }

    /// Returns the day this many days earlier.
    #[must_use]
    pub fn minus(self, days: u16) -> Self {
        Self(self.0.saturating_sub(time::Duration::days(days.into())))
    }

    /// Returns the first moment of the day.
    pub fn starts(self) -> Timestamp {
        midnight(self.0)
    }

    /// Returns the day this many days later.
    #[must_use]
    pub fn plus(self, days: u16) -> Self {
        Self(self.0.saturating_add(time::Duration::days(days.into())))
    }

    /// Returns the first moment of the next day.
    pub fn ends(self) -> Timestamp {
        midnight(self.0.next_day().unwrap_or(Date::MAX))
    }
}

impl Month {
    /// Returns the month of a time.
    pub fn of(at: Timestamp) -> Self {
        let date = date(at);
        Self { year: date.year(), month: date.month() }
    }

    /// Parses `2026-11`. Other spellings of the same month are refused.
    pub fn parse(text: &str) -> Option<Self> {
        Day::parse(&format!("{text}-01")).map(|day| Self::of(day.starts()))
    }

    /// Returns the month this many months earlier.
    #[must_use]
    pub fn back(self, months: u8) -> Self {
        let behind = |month: Self| match month.month {
            CalendarMonth::January => Self { year: month.year - 1, month: CalendarMonth::December },
            other => Self { year: month.year, month: other.previous() },
        };
        (0..months).fold(self, |month, _| behind(month))
    }

    /// Returns the first moment of the next month.
    pub fn ends(self) -> Timestamp {
        let year = if self.month == CalendarMonth::December { self.year + 1 } else { self.year };
        midnight(Date::from_calendar_date(year, self.month.next(), 1).unwrap_or(Date::MAX))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

read_from_json_string!(Day, crate::json_text::matching(r"^\d{4}-\d\d-\d\d$"));

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, u8::from(self.month))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_period_ends_where_the_next_begins() {
        for (moment, day, day_ends, month, month_ends) in [
            ("2026-02-28T23:59:59.999Z", "2026-02-28", "2026-03-01T00:00:00Z", "2026-02", "2026-03-01T00:00:00Z"),
            ("2028-02-28T23:59:59.999Z", "2028-02-28", "2028-02-29T00:00:00Z", "2028-02", "2028-03-01T00:00:00Z"),
            ("2028-02-29T00:00:00Z", "2028-02-29", "2028-03-01T00:00:00Z", "2028-02", "2028-03-01T00:00:00Z"),
            ("2026-04-30T23:59:59.999Z", "2026-04-30", "2026-05-01T00:00:00Z", "2026-04", "2026-05-01T00:00:00Z"),
            ("2026-12-31T23:59:59.999Z", "2026-12-31", "2027-01-01T00:00:00Z", "2026-12", "2027-01-01T00:00:00Z"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "2027-01-02T00:00:00Z", "2027-01", "2027-02-01T00:00:00Z"),
        ] {
            assert_eq!(Day::of(at(moment)).to_string(), day);
            assert_eq!(Day::of(at(moment)).ends(), at(day_ends));
            assert_eq!(Month::of(at(moment)).to_string(), month);
            assert_eq!(Month::of(at(moment)).ends(), at(month_ends));
        }
    }

    #[test]
    fn months_are_counted_back_over_the_turn_of_years() {
        let back = |months| Month::parse("2028-02").unwrap().back(months).to_string();
        assert_eq!([0, 1, 2, 13, 14].map(back), ["2028-02", "2028-01", "2027-12", "2027-01", "2026-12"]);
    }

    #[test]
    fn days_are_counted_over_the_ends_of_months() {
        let day = |text| Day::parse(text).unwrap();
        assert_eq!(day("2026-11-21").plus(0), day("2026-11-21"));
        assert_eq!(day("2026-11-21").plus(30), day("2026-12-21"));
        assert_eq!(day("2028-02-01").plus(30), day("2028-03-02"));
        assert_eq!(day("2028-03-02").minus(30), day("2028-02-01"));
    }

    #[test]
    fn a_day_has_one_spelling() {
        assert_eq!(Day::parse("2026-11-21").map(|day| day.to_string()).as_deref(), Some("2026-11-21"));
        for bad in ["", "2026-11", "2026-11-31", "2026-2-01", "2026-11-21Z", "+2026-11-21", "2026-11-21-1"] {
            assert_eq!(Day::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_its_own_period(millis in 0_i64..4_102_444_800_000) {
            let moment = Timestamp::from_millis(millis);
            let (day, month) = (Day::of(moment), Month::of(moment));
            prop_assert!(day.starts() <= moment && moment < day.ends());
            prop_assert!(moment < month.ends());
            prop_assert_eq!(Day::of(day.ends()).starts(), day.ends());
            prop_assert_eq!((day.plus(1).starts(), day.plus(1).minus(1)), (day.ends(), day));
            prop_assert_eq!(Day::parse(&day.to_string()), Some(day));
            prop_assert!(day.to_string().starts_with(&month.to_string()));
        }
    }
}
