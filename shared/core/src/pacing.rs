//! How fast a destination may be called. Its rate applies to all its callers together.
//!
//! The rule is the generic cell rate algorithm: a destination has a time before which it must not be called again, and
//! each call moves that time on. Source: ITU-T Recommendation I.371, annex A.
//!
//! A caller who asks too early gets a place in a line, so that not all callers ask again at once. A place is only the
//! time to ask again. It reserves nothing: the rule is checked again then.

use std::time::Duration;

use crate::{Fault, Timestamp};

/// Most calls a second that a destination may ask for.
pub const RATE_MAX: u32 = 100;
/// Default rate, in calls a second.
const RATE_DEFAULT: u32 = 10;
/// How late a caller may ask again after the time of their place. A later caller gets a new place, so that only few
/// callers ask at the same moment.
pub const LATEST: Duration = Duration::from_secs(1);

/// Longest line: a queue message can be delayed until any place in it. A caller who would get a later place is refused
/// and asks again later.
pub const LINE_MAX: Duration = Duration::from_mins(10);
/// Longest line of a destination that is called less than once a second because it fails. It is short, so that little
/// waits when the destination works again.
const SLOW_LINE_MAX: Duration = Duration::from_mins(1);

/// A rate, in calls a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u32);

impl Default for Rate {
    fn default() -> Self {
        Self(RATE_DEFAULT)
    }
}

impl Rate {
    /// Creates a rate of 1 to 100 calls a second. Returns `None` for others.
    pub fn new(per_second: u32) -> Option<Self> {
        (1..=RATE_MAX).contains(&per_second).then_some(Self(per_second))
    }

    /// Parses the rate in a request.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `rate_per_second`.
    pub fn parse(per_second: u64) -> Result<Self, Fault> {
        let rate = u32::try_from(per_second).ok().and_then(Self::new);
        let message = || format!("rate_per_second must be 1 to {RATE_MAX}");
        rate.ok_or_else(|| Fault::field("rate_per_second", message()).detail("limit", RATE_MAX))
    }

    /// Returns the calls a second.
    pub const fn per_second(self) -> u32 {
        self.0
    }

    /// Returns the shortest time between two calls, in whole milliseconds, rounded up so that the rate is never
    /// exceeded.
    pub const fn interval(self) -> Duration {
        Duration::from_millis(1000_u64.div_ceil(self.0 as u64))
    }
}

/// Most calls a second to one host, for all organisations together.
pub const HOST_RATE: Rate = Rate(50);

/// The generic cell rate algorithm for one rate and burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    interval: Duration,
    tolerance: Duration,
}

impl Gcra {
    /// Creates the rule for a rate and a burst, the number of calls that may come at once, at least one. In any span of
    /// time it admits at most `span * rate + burst` calls.
    pub fn new(rate: Rate, burst: u32) -> Self {
        Self { interval: rate.interval(), tolerance: rate.interval() * burst.saturating_sub(1) }
    }

    /// Admits a call at `now`. `expected` is the value that the last admitted call returned, if there was one. Returns
    /// the value for the next call.
    ///
    /// # Errors
    /// If the call comes too early: the time from which it would be admitted.
    pub fn admit(self, expected: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let expected = expected.unwrap_or(now);
        let opens = expected.minus(self.tolerance);
        if now < opens { Err(opens) } else { Ok(expected.max(now).plus(self.interval)) }
    }
}

/// The state of a destination that is called one call at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// From when it may be called.
    pub opens: Option<Timestamp>,
    /// The end of the line: the next free place.
    pub line: Option<Timestamp>,
}

/// The answer to a request to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paced {
    /// Make the call now.
    Now,
    /// Do not call now. Ask again at this time, which is the caller's place in the line.
    At(Timestamp),
    /// Do not call now. The line is full, so ask again some minutes later.
    Full,
}

/// A request to call a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceAsk {
    /// Name of the destination, which is unique.
    pub destination: String,
    /// Shortest time between two calls of the destination.
    pub interval: Duration,
    /// The place in the line that the caller was given before, if any.
    pub place: Option<Timestamp>,
    /// The time of the request.
    pub now: Timestamp,
}

impl PaceAsk {
    /// Returns whether the caller has a place, its time has come, and is at most [`LATEST`] ago.
    pub fn is_in_turn(&self) -> bool {
        self.place.is_some_and(|place| place <= self.now && self.now.since(place) <= LATEST)
    }

    /// Returns how long the line of the destination may be.
    pub fn line_max(&self) -> Duration {
        if self.interval > Duration::from_secs(1) { SLOW_LINE_MAX } else { LINE_MAX }
    }
}

impl Pace {
    /// Admits a call or returns a place in the line. A caller without a place waits behind those who have one.
    pub fn ask(&mut self, ask: &PaceAsk) -> Paced {
        let waiting = self.line.is_some_and(|line| line > ask.now) && !ask.is_in_turn();
        match (Gcra { interval: ask.interval, tolerance: Duration::ZERO }).admit(self.opens, ask.now) {
            Ok(opens) if !waiting => {
                self.opens = Some(opens);
                Paced::Now
            }
            // Another caller was late and called a moment ago.
            Err(opens) if ask.is_in_turn() => Paced::At(opens),
            _ => {
                let place = self.line.max(self.opens).unwrap_or(ask.now).max(ask.now);
                if place.since(ask.now) > ask.line_max() {
                    return Paced::Full;
                }
                self.line = Some(place.plus(ask.interval));
                Paced::At(place)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_257_000_000 + millis)
    }

    fn ask(rate: u32, place: Option<Timestamp>, now: Timestamp) -> PaceAsk {
        PaceAsk { destination: "d".to_owned(), interval: Rate::new(rate).unwrap().interval(), place, now }
    }

    /// Returns the most calls within any span that begins with one of them.
    fn most_within(calls: &[Timestamp], span: Duration) -> u32 {
        let within = |from: &Timestamp| calls.iter().filter(|at| *at >= from && at.since(*from) < span).count();
        u32::try_from(calls.iter().map(within).max().unwrap_or(0)).unwrap()
    }

    #[test]
    fn rates_have_bounds_and_intervals_are_never_too_short() {
        for (rate, interval) in [(1, 1000), (3, 334), (10, 100), (60, 17), (100, 10)] {
            assert_eq!(Rate::new(rate).unwrap().interval(), Duration::from_millis(interval));
        }
        assert_eq!(Rate::default().per_second(), 10);
        for bad in [0, 101, u64::MAX] {
            assert_eq!(Rate::parse(bad).unwrap_err().details["field"], "rate_per_second");
        }
    }

    #[test]
    fn a_line_is_full_at_the_longest_delay_of_a_message() {
        let mut pace = Pace::default();
        let asked: Vec<Paced> = (0..700).map(|_| pace.ask(&ask(1, None, at(0)))).collect();
        assert_eq!(asked[0], Paced::Now);
        let places = asked.iter().filter(|paced| matches!(paced, Paced::At(_))).count();
        let full = asked.iter().filter(|paced| **paced == Paced::Full).count();
        assert_eq!((places, full), (600, 99), "a place each second, for ten minutes");
        // A place is free a second later, and no sooner.
        assert_eq!(pace.ask(&ask(1, None, at(999))), Paced::Full);
        assert!(matches!(pace.ask(&ask(1, None, at(1_000))), Paced::At(_)));
    }

    #[test]
    fn a_thousand_simultaneous_callers_get_one_place_each_in_order() {
        let mut pace = Pace::default();
        let answers: Vec<Paced> = (0..1000).map(|_| pace.ask(&ask(10, None, at(0)))).collect();
        assert_eq!(answers[0], Paced::Now);
        let want: Vec<Paced> = (1..1000).map(|n| Paced::At(at(n * 100))).collect();
        assert_eq!(answers[1..], want);
        // A caller whose turn it is is admitted, even if a new caller asks before.
        assert_eq!(pace.ask(&ask(10, None, at(100))), Paced::At(at(100_000)));
        assert_eq!(pace.ask(&ask(10, Some(at(100)), at(100))), Paced::Now);
        // A caller who is a little late takes the next one's time, and that one waits a moment.
        assert_eq!(pace.ask(&ask(10, Some(at(200)), at(290))), Paced::Now);
        assert_eq!(pace.ask(&ask(10, Some(at(300)), at(300))), Paced::At(at(390)));
        assert_eq!(pace.ask(&ask(10, Some(at(300)), at(390))), Paced::Now);
        // A caller who is very late goes to the end.
        assert_eq!(pace.ask(&ask(10, Some(at(400)), at(1_401))), Paced::At(at(100_100)));
        // And one who comes too early keeps waiting, at the end.
        assert_eq!(pace.ask(&ask(10, Some(at(5_000)), at(1_401))), Paced::At(at(100_200)));
    }

    #[test]
    fn a_line_in_the_past_is_empty() {
        let mut pace = Pace { opens: Some(at(100)), line: Some(at(500)) };
        assert_eq!(pace.ask(&ask(10, None, at(499))), Paced::At(at(500)));
        assert_eq!(pace.ask(&ask(10, None, at(700))), Paced::Now);
    }

    proptest! {
        #[test]
        fn no_span_holds_more_calls_than_the_rate_and_the_burst(
            rate in 1_u32..=RATE_MAX,
            burst in 1_u32..20,
            steps in prop::collection::vec(0_i64..400, 1..200),
            span in 1_u64..5_000,
        ) {
            let rule = Gcra::new(Rate::new(rate).unwrap(), burst);
            let (mut now, mut expected, mut calls) = (0, None, Vec::new());
            for step in steps {
                now += step;
                match rule.admit(expected, at(now)) {
                    Ok(next) => {
                        expected = Some(next);
                        calls.push(at(now));
                    }
                    Err(opens) => {
                        prop_assert!(opens > at(now));
                        prop_assert!(rule.admit(expected, opens).is_ok());
                    }
                }
            }
            let span = Duration::from_millis(span);
            let most = span.as_millis() * u128::from(rate) / 1000 + u128::from(burst);
            prop_assert!(u128::from(most_within(&calls, span)) <= most);
        }

        #[test]
        fn the_line_keeps_the_rate_and_every_punctual_caller_is_admitted(
            rate in 1_u32..=RATE_MAX,
            steps in prop::collection::vec((0_i64..300, 0_i64..900), 1..100),
            span in 1_u64..5_000,
        ) {
            let (mut pace, mut now, mut calls) = (Pace::default(), 0, Vec::new());
            // Those who wait: when they will ask, their place, and how late they are.
            let mut line: Vec<(Timestamp, Timestamp)> = Vec::new();
            let mut arrivals: Vec<(Timestamp, Option<Timestamp>, i64)> = steps.iter().map(|(step, late)| {
                now += step;
                (at(now), None, *late)
            }).collect();
            let all = arrivals.len();
            let mut asked = 0;
            while !arrivals.is_empty() {
                arrivals.sort_by_key(|(when, _, _)| std::cmp::Reverse(*when));
                let (when, place, late) = arrivals.pop().unwrap();
                asked += 1;
                prop_assert!(asked < 100 * all * all, "a caller is never admitted");
                match pace.ask(&ask(rate, place, when)) {
                    Paced::Now => calls.push(when),
                    Paced::At(next) => {
                        line.push((when, next));
                        // Late once. The next time they are on time.
                        let comes = next.plus(Duration::from_millis(late.unsigned_abs()));
                        let keeps = ask(rate, place, when).is_in_turn();
                        arrivals.push((comes.max(when), if keeps { place } else { Some(next) }, 0));
                    }
                    Paced::Full => arrivals.push((when.plus(LINE_MAX / 2), None, late)),
                }
            }
            prop_assert_eq!(calls.len(), all);
            let span = Duration::from_millis(span);
            let most = span.as_millis() * u128::from(rate) / 1000 + 1;
            prop_assert!(u128::from(most_within(&calls, span)) <= most);
        }
    }
}
