//! Rates: how often something may happen in a window of time.
//!
//! A window of a minute opens with the first thing that is counted. As with every fixed window, close to twice the limit
//! fits into a minute around its end. A window of a day ends with the day (UTC), because its limit is documented as "a
//! day".
//!
//! A window is stored as its start and its count, and the next one replaces both. So the item it is in does not grow.

use std::time::Duration;

use crate::fault::whole_seconds;
use crate::periods::Day;
use crate::{Code, Fault, Plan, Timestamp};

/// How long a window lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A minute from the first thing counted.
    Minute,
    /// Until the end of the day (UTC).
    Day,
}

/// Length of a window of a minute.
const MINUTE: Duration = Duration::from_mins(1);

impl Span {
    /// Returns the latest start of a window that is over by `now`. A window that started later is open.
    pub fn over_by(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Minute => now.minus(MINUTE),
            Self::Day => Day::of(now).starts().minus(Duration::from_millis(1)),
        }
    }

    /// Returns when a window that started at `started` ends.
    pub fn ends(self, started: Timestamp) -> Timestamp {
        match self {
            Self::Minute => started.plus(MINUTE),
            Self::Day => Day::of(started).ends(),
        }
    }
}

/// A window: when it opened, and what was counted since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it opened.
    pub started: Timestamp,
    /// Number of things counted since then.
    pub count: u64,
}

impl Window {
    /// Returns whether the window is still open.
    pub fn is_open(&self, span: Span, now: Timestamp) -> bool {
        self.started > span.over_by(now)
    }

    /// Returns the count of a window, 0 if it is over or there is none.
    pub fn counted(window: Option<Self>, span: Span, now: Timestamp) -> u64 {
        window.filter(|window| window.is_open(span, now)).map_or(0, |window| window.count)
    }

    /// Returns the window after one more was counted, or `None` if the limit is reached.
    pub fn admit(window: Option<Self>, span: Span, limit: u64, now: Timestamp) -> Option<Self> {
        match window.filter(|window| window.is_open(span, now)) {
            Some(open) if open.count >= limit => None,
            Some(open) => Some(Self { count: open.count + 1, ..open }),
            None => (limit > 0).then_some(Self { started: now, count: 1 }),
        }
    }
}

/// What is counted for each user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Writes of every kind.
    Writes,
    /// Grants to upload.
    Grants,
    /// Requested jobs.
    Jobs,
    /// Cancelled jobs that gave their allowance back.
    Refunds,
}

impl Rate {
    /// Every rate.
    pub const ALL: [Self; 4] = [Self::Writes, Self::Grants, Self::Jobs, Self::Refunds];

    /// Returns the length of the rate's windows.
    pub const fn span(self) -> Span {
        match self {
            Self::Writes | Self::Jobs => Span::Minute,
            Self::Grants | Self::Refunds => Span::Day,
        }
    }

    /// Returns how many a plan allows in a window.
    pub fn limit(self, plan: Plan) -> u64 {
        let allowances = plan.allowances();
        u64::from(match self {
            Self::Writes => allowances.writes_per_minute,
            Self::Grants => allowances.grants_per_day,
            Self::Jobs => allowances.jobs_per_minute,
            Self::Refunds => allowances.refunded_cancellations_per_day,
        })
    }

    /// Returns what is counted, as it reads behind a number.
    const fn counted(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Grants => "grants to upload",
            Self::Jobs => "job requests",
            Self::Refunds => "cancellations that give the allowance back",
        }
    }
}

/// A user's window of each rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    /// The window of [`Rate::Writes`].
    pub writes: Option<Window>,
    /// The window of [`Rate::Grants`].
    pub grants: Option<Window>,
    /// The window of [`Rate::Jobs`].
    pub jobs: Option<Window>,
    /// The window of [`Rate::Refunds`].
    pub refunds: Option<Window>,
}

impl Windows {
    /// Returns the window of a rate.
    pub fn of(&self, rate: Rate) -> Option<Window> {
        match rate {
            Rate::Writes => self.writes,
            Rate::Grants => self.grants,
            Rate::Jobs => self.jobs,
            Rate::Refunds => self.refunds,
        }
    }

    /// Returns the place of a rate's window.
    pub fn of_mut(&mut self, rate: Rate) -> &mut Option<Window> {
        match rate {
            Rate::Writes => &mut self.writes,
            Rate::Grants => &mut self.grants,
            Rate::Jobs => &mut self.jobs,
            Rate::Refunds => &mut self.refunds,
        }
    }

    /// Returns the windows after one more was counted at each of `rates`.
    ///
    /// # Errors
    /// The first of `rates` whose limit is reached. Nothing is counted then.
    pub fn admit(mut self, rates: &[Rate], plan: Plan, now: Timestamp) -> Result<Self, OverRate> {
        for rate in rates.iter().copied() {
            let window = self.of(rate);
            let next = Window::admit(window, rate.span(), rate.limit(plan), now);
            let started = window.map_or(now, |window| window.started);
            *self.of_mut(rate) = Some(next.ok_or(OverRate { rate, started })?);
        }
        Ok(self)
    }
}

/// A rate whose limit is reached, and when its window opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverRate {
    /// The rate.
    pub rate: Rate,
    /// When the window opened.
    pub started: Timestamp,
}

impl OverRate {
    /// Returns when the window ends.
    pub fn resets_at(&self) -> Timestamp {
        self.rate.span().ends(self.started)
    }

    /// Returns how long it takes until the window ends, in whole seconds, at least one.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let seconds = whole_seconds(self.resets_at().since(now));
        Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// Returns the 429. It says when the window ends.
    pub fn refusal(&self, plan: Plan, now: Timestamp) -> Fault {
        let (limit, counted) = (self.rate.limit(plan), self.rate.counted());
        let resets_at = self.resets_at();
        let message = match self.rate.span() {
            Span::Minute => {
                let seconds = self.wait(now).as_secs();
                format!("Your plan allows {limit} {counted} a minute; try again in {seconds} s")
            }
            Span::Day => format!("Your plan allows {limit} {counted} a day; try again at {resets_at}"),
        };
        Fault::new(Code::RateLimited, message).limited(limit, resets_at, now)
    }
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
