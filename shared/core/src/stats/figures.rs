//! The statistics of a day.

use std::collections::BTreeMap;

use super::SETTLES_AFTER;
use crate::periods::Day;
use crate::{OrgId, Timestamp};

/// The figures of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls with a receipt: charged calls, and gateway calls that failed at the upstream.
    pub requests: u64,
    /// Credits that these calls cost.
    pub credits: u64,
    /// The part of `credits` that test wallets paid.
    pub test_credits: u64,
    /// Calls with a reported outcome.
    pub outcomes: u64,
    /// Number of those outcomes with a status from 200 to 399.
    pub successes: u64,
    /// Number of calls by service.
    pub services: BTreeMap<String, u64>,
    /// Number of calls by key.
    pub keys: BTreeMap<String, u64>,
    /// Number of calls by country.
    pub countries: BTreeMap<String, u64>,
    /// Median of the response times, in milliseconds.
    pub p50_ms: Option<u64>,
    /// 95th percentile of the response times, in milliseconds.
    pub p95_ms: Option<u64>,
}

impl Figures {
    /// Returns the share of successes among the outcomes as whole percent, rounded half up. Returns `None` without
    /// outcomes.
    pub fn success_rate(&self) -> Option<u8> {
        let (successes, outcomes) = (u128::from(self.successes), u128::from(self.outcomes));
        let rounded = (successes * 200 + outcomes).checked_div(outcomes * 2)?;
        u8::try_from(rounded).ok()
    }
}

/// An organisation's statistics of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayStats {
    /// The organisation whose receipts were counted.
    pub org: OrgId,
    /// The day (UTC) on which the calls were admitted.
    pub day: Day,
    /// The figures of the day.
    pub figures: Figures,
    /// When the count began. Later calls are not included.
    pub counted_at: Timestamp,
}

impl DayStats {
    /// Returns whether the count began at least [`SETTLES_AFTER`] after the end of the day, so that late receipts are
    /// included.
    pub fn is_complete(&self) -> bool {
        self.counted_at >= self.day.ends().plus(SETTLES_AFTER)
    }
}

/// The outcome of storing statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsKept {
    /// They are the day's first. The event was written too.
    First,
    /// They replaced earlier ones.
    Again,
    /// They were not stored, because a later count is stored.
    Outdated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_success_rate_counts_only_reported_outcomes() {
        let rate =
            |successes, outcomes| Figures { requests: 9, successes, outcomes, ..Figures::default() }.success_rate();
        assert_eq!((rate(0, 0), rate(0, 3), rate(3, 3)), (None, Some(0), Some(100)));
        assert_eq!((rate(2, 3), rate(1, 3), rate(3, 4)), (Some(67), Some(33), Some(75)));
        assert_eq!((rate(1, 200), rate(199, 200), rate(1, 201)), (Some(1), Some(100), Some(0)), "half up");
        assert_eq!(rate(u64::MAX, u64::MAX), Some(100));
    }

    #[test]
    fn figures_are_complete_three_hours_after_their_day() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let complete = |counted_at: &str| {
            let (org, day) = (OrgId::mint(at("2026-11-01T00:00:00Z")), Day::parse("2026-11-21").unwrap());
            DayStats { org, day, figures: Figures::default(), counted_at: at(counted_at) }.is_complete()
        };
        assert!(!complete("2026-11-21T12:00:00Z") && !complete("2026-11-22T02:59:59Z"));
        assert!(complete("2026-11-22T03:00:00Z") && complete("2027-01-01T00:00:00Z"));
    }
}
