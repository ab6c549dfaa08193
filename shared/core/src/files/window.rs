//! The rate limit of writes: a window that opens with a user's first write and lasts a minute.
//!
//! With clock minutes as windows, a user could write twice the allowance around the turn of a minute. A window that
//! starts at the first write has no such gap. The window is stored in the storage ledger's item, so that it costs no
//! extra call.

use std::time::Duration;

use crate::fault::whole_seconds;
use crate::{Code, Fault, Timestamp};

/// Length of a window.
pub const WINDOW: Duration = Duration::from_mins(1);

/// The current window of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When the window opened.
    pub started: Timestamp,
    /// Writes admitted since then.
    pub writes: u32,
}

impl Window {
    /// Returns whether the window is still open.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.started > now.minus(WINDOW)
    }

    /// Returns the window after one more write, or `None` if it has no writes left.
    pub fn admit(window: Option<Self>, limit: u32, now: Timestamp) -> Option<Self> {
        match window.filter(|window| window.is_open(now)) {
            Some(open) if open.writes >= limit => None,
            Some(open) => Some(Self { writes: open.writes + 1, ..open }),
            None => (limit > 0).then_some(Self { started: now, writes: 1 }),
        }
    }

    /// Returns the 429 for a write in a full window. It says when the window ends.
    pub fn refusal(&self, limit: u32, now: Timestamp) -> Fault {
        let resets_at = self.started.plus(WINDOW);
        let seconds = whole_seconds(resets_at.since(now));
        Fault::new(Code::RateLimited, format!("Your plan allows {limit} writes a minute; try again in {seconds} s"))
            .limited(limit.into(), resets_at, now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_write_after_the_last_is_refused_until_the_window_ends() {
        let start = Timestamp::from_secs(1_000);
        let full = Window { started: start, writes: 60 };
        let last_moment = start.plus(Duration::from_millis(59_999));
        assert_eq!(Window::admit(Some(full), 60, last_moment), None);
        let fresh = start.plus(WINDOW);
        assert_eq!(Window::admit(Some(full), 60, fresh), Some(Window { started: fresh, writes: 1 }));
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let fault = Window { started: Timestamp::from_secs(0), writes: 60 }.refusal(60, Timestamp::from_millis(59_500));
        assert!(fault.headers.contains(&("retry-after", "1".to_owned())));
        assert!(fault.headers.contains(&("ratelimit-limit", "60".to_owned())));
        assert_eq!(fault.details["resets_at"], "1970-01-01T00:01:00Z");
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_the_limit(limit in 0_u32..20, steps in prop::collection::vec(0_u64..9_000, 1..200)) {
            let (mut window, mut now, mut admitted) = (None, Timestamp::from_secs(0), Vec::new());
            for step in steps {
                now = now.plus(Duration::from_millis(step));
                if let Some(next) = Window::admit(window, limit, now) {
                    window = Some(next);
                    admitted.push((next.started, now));
                }
            }
            for (started, at) in &admitted {
                prop_assert!(at.since(*started) < WINDOW);
                prop_assert!(admitted.iter().filter(|(other, _)| other == started).count() <= limit as usize);
            }
        }
    }
}
