//! Statistics: what an organisation's keys did on each day (UTC), counted from its receipts, and what all users store.
//!
//! A day's statistics depend only on its receipts, and not on how these are divided into pages. So a day can be counted
//! any number of times, and a later count includes late receipts.

mod figures;
mod latency;
mod message;
mod span;
mod storage;
mod tally;

pub use figures::{DayStats, Figures, StatsKept};
pub use latency::ResponseTimes;
pub use message::{Begun, StatsMessage};
pub use span::DaySpan;
pub use storage::{Ledger, StorageBegun, StorageDay, StorageMessage, StorageTotals, Stored};
pub use tally::{CountedCall, Tally};

use std::time::Duration;

use crate::Timestamp;
use crate::periods::Day;

/// How long after a day's end its statistics count as complete. The nightly count starts then, at 03:00 UTC.
pub const SETTLES_AFTER: Duration = Duration::from_hours(3);

/// Number of days counted in a night: the day that has ended, and days before it, whose outcomes may have been reported
/// late.
const DAYS_A_NIGHT: u16 = 3;

/// Returns the days that a night's count includes, the latest first.
pub fn days_of_night(now: Timestamp) -> impl Iterator<Item = Day> + Clone {
    let today = Day::of(now);
    (1..=DAYS_A_NIGHT).map(move |days| today.minus(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_counts_the_day_before_it_and_two_more() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let days = |now| days_of_night(at(now)).map(|day| day.to_string()).collect::<Vec<_>>();
        assert_eq!(days("2028-03-01T03:00:00Z"), ["2028-02-29", "2028-02-28", "2028-02-27"]);
        assert_eq!(days("2027-01-02T23:59:59Z"), ["2027-01-01", "2026-12-31", "2026-12-30"]);
    }
}
