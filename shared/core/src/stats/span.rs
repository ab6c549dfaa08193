//! Spans of days, as requests and lists use them.

use std::collections::BTreeSet;

use crate::Fault;
use crate::periods::Day;

/// Most days in a request, about three months.
const DAYS_MAX: usize = 92;
/// Days of the default span, including today.
const DAYS_DEFAULT: u16 = 30;

/// A span of days, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySpan {
    /// The first day of the span.
    pub from: Day,
    /// The last day, not before the first.
    pub to: Day,
}

impl DaySpan {
    /// Returns the span of a single day.
    pub fn of(day: Day) -> Self {
        Self { from: day, to: day }
    }

    /// Parses the span in a request. By default it ends today and has thirty days.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `from` or `to` if it is not a date; naming `from` if it is after `to`, or if the span
    /// has more than 92 days.
    pub fn parse(from: Option<&str>, to: Option<&str>, today: Day) -> Result<Self, Fault> {
        let date = |field: &str, text: &str| {
            Day::parse(text).ok_or_else(|| Fault::field(field, format!("{field} must be a date such as 2026-11-21")))
        };
        let to = to.map_or(Ok(today), |text| date("to", text))?;
        let from = from.map_or(Ok(to.minus(DAYS_DEFAULT - 1)), |text| date("from", text))?;
        if from > to {
            return Err(Fault::field("from", format!("from must not be after to ({to})")));
        }
        let span = Self { from, to };
        if span.days().nth(DAYS_MAX).is_some() {
            let message = format!("from and to must span at most {DAYS_MAX} days");
            return Err(Fault::field("from", message).detail("limit", DAYS_MAX));
        }
        Ok(span)
    }

    /// Returns its days, oldest first.
    pub fn days(self) -> impl Iterator<Item = Day> {
        std::iter::successors(Some(self.from), move |day| (*day < self.to).then(|| day.plus(1)))
    }

    /// Returns its days up to `last` that are not in `known`, as spans of consecutive days.
    pub fn gaps(self, known: &BTreeSet<Day>, last: Day) -> Vec<Self> {
        let mut gaps: Vec<Self> = Vec::new();
        for day in self.days().filter(|day| *day <= last && !known.contains(day)) {
            match gaps.last_mut() {
                Some(gap) if gap.to.plus(1) == day => gap.to = day,
                _ => gaps.push(Self::of(day)),
            }
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn parse(from: Option<&str>, to: Option<&str>) -> Result<(String, String), String> {
        let span = DaySpan::parse(from, to, day("2026-11-21"));
        span.map(|span| (span.from.to_string(), span.to.to_string())).map_err(|fault| fault.message.to_string())
    }

    #[test]
    fn the_default_is_the_last_thirty_days() {
        let span = |from: &str, to: &str| Ok((from.to_owned(), to.to_owned()));
        assert_eq!(parse(None, None), span("2026-10-23", "2026-11-21"));
        assert_eq!(parse(Some("2026-11-21"), None), span("2026-11-21", "2026-11-21"));
        assert_eq!(parse(None, Some("2024-03-01")), span("2024-02-01", "2024-03-01"));
        assert_eq!(parse(Some("2024-02-28"), Some("2024-03-01")), span("2024-02-28", "2024-03-01"));
        assert_eq!(parse(Some("2026-01-01"), Some("2026-04-02")), span("2026-01-01", "2026-04-02"), "92 days");
    }

    #[test]
    fn a_bad_date_is_named() {
        let field = |from, to| {
            let fault = DaySpan::parse(from, to, day("2026-11-21")).unwrap_err();
            fault.details["field"].as_str().unwrap().to_owned()
        };
        for bad in ["", "today", "2026-11-31", "2026-1-1", "2026-11-21T00:00:00Z", "20261121"] {
            assert_eq!((field(Some(bad), None), field(None, Some(bad))), ("from".to_owned(), "to".to_owned()), "{bad}");
        }
        assert_eq!(field(Some("2026-11-22"), None), "from", "after today, the default of `to`");
        assert_eq!(field(Some("2026-11-22"), Some("2026-11-21")), "from");
        assert_eq!(field(Some("2026-01-01"), Some("2026-04-03")), "from", "93 days");
        assert_eq!(field(Some("0001-01-01"), Some("9999-12-31")), "from");
    }

    #[test]
    fn gaps_are_the_days_without_statistics() {
        let span = DaySpan { from: day("2026-11-01"), to: day("2026-11-09") };
        let known = ["2026-11-03", "2026-11-04", "2026-11-06"].map(day).into();
        let shown = |gaps: Vec<DaySpan>| -> Vec<String> {
            gaps.iter().map(|gap| format!("{}..{}", gap.from, gap.to)).collect()
        };
        assert_eq!(
            shown(span.gaps(&known, day("2026-11-08"))),
            ["2026-11-01..2026-11-02", "2026-11-05..2026-11-05", "2026-11-07..2026-11-08"]
        );
        assert_eq!(shown(span.gaps(&BTreeSet::new(), day("2026-12-31"))), ["2026-11-01..2026-11-09"]);
        assert!(span.gaps(&known, day("2026-10-31")).is_empty());
    }
}
