//! What was counted of a day.

use std::collections::BTreeMap;

use super::SETTLES_AFTER;
use crate::periods::Day;
use crate::{OrgId, Timestamp};

/// The figures of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls with a receipt: charged, or handed on by the gateway to a service that failed.
    pub requests: u64,
    /// Credits they cost.
    pub credits: u64,
    /// Credits of these that test wallets paid.
    pub test_credits: u64,
    /// Calls whose outcome was told.
    pub outcomes: u64,
    /// Of these, those answered with a status from 200 to 399.
    pub successes: u64,
    /// Calls by service.
    pub services: BTreeMap<String, u64>,
    /// Calls by key.
    pub keys: BTreeMap<String, u64>,
    /// Calls by country.
    pub countries: BTreeMap<String, u64>,
    /// Response time in milliseconds that half of the outcomes do not exceed.
    pub p50_ms: Option<u64>,
    /// Response time in milliseconds that 95 % of the outcomes do not exceed.
    pub p95_ms: Option<u64>,
}

impl Figures {
    /// Gives the share of successes among the outcomes, 0 to 1 with four decimals; of no outcomes there is none.
    // Counts of a day lose nothing as a float.
    #[allow(clippy::cast_precision_loss)]
    pub fn success_rate(&self) -> Option<f64> {
        let share = |whole: u64| (self.successes as f64 / whole as f64 * 10_000.0).round() / 10_000.0;
        (self.outcomes > 0).then(|| share(self.outcomes))
    }
}

/// An organisation's figures of a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayStats {
    /// The organisation.
    pub org: OrgId,
    /// The day.
    pub day: Day,
    /// The figures.
    pub figures: Figures,
    /// When counting them began: calls since are not in them.
    pub counted_at: Timestamp,
}

impl DayStats {
    /// Says whether they were counted behind the day's end, with time for rows under way.
    pub fn is_complete(&self) -> bool {
        self.counted_at >= self.day.ends().plus(SETTLES_AFTER)
    }
}

/// What became of figures to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatsKept {
    /// They are the day's first, and the world is told.
    First,
    /// They stand in the place of earlier ones.
    Again,
    /// Figures that were counted later stand there, and stay.
    Outdated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_outcomes_that_were_told() {
        let rate =
            |successes, outcomes| Figures { requests: 9, successes, outcomes, ..Figures::default() }.success_rate();
        assert_eq!((rate(0, 0), rate(0, 3), rate(3, 3)), (None, Some(0.0), Some(1.0)));
        assert_eq!((rate(2, 3), rate(1, 3)), (Some(0.6667), Some(0.3333)));
    }

    #[test]
    fn figures_are_complete_three_hours_behind_their_day() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let complete = |counted_at: &str| {
            let (org, day) = (OrgId::mint(at("2026-11-01T00:00:00Z")), Day::parse("2026-11-21").unwrap());
            DayStats { org, day, figures: Figures::default(), counted_at: at(counted_at) }.is_complete()
        };
        assert!(!complete("2026-11-21T12:00:00Z") && !complete("2026-11-22T02:59:59Z"));
        assert!(complete("2026-11-22T03:00:00Z") && complete("2027-01-01T00:00:00Z"));
    }
}
