//! Waits between tries: longer each time, of random length, and never past the invocation's deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::budget;
use crate::jitter::jittered;

/// Waits with "full jitter": each wait is drawn between zero and a bound, which doubles after each try up to `longest`.
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    bound: Duration,
    longest: Duration,
    tries_left: u32,
    /// Every wait must be able to end before this moment.
    until: Instant,
}

impl Backoff {
    /// Returns the waits between tries of a failed call. `tries` counts all tries, including the first; `first` is the
    /// longest first wait.
    #[cfg(not(feature = "sdk-client"))]
    pub(crate) fn of_calls(tries: u32, first: Duration) -> Self {
        Self {
            bound: first,
            longest: Duration::MAX,
            tries_left: tries.saturating_sub(1),
            until: budget::spendable_until(),
        }
    }

    /// Returns the waits between tries of a write that was a conflict. The first is at most 10 ms, later ones at most
    /// 320 ms. They go on while the invocation has time. Its last half second is kept for the answer.
    pub fn of_conflicts() -> Self {
        Self {
            bound: Duration::from_millis(10),
            longest: Duration::from_millis(320),
            tries_left: u32::MAX,
            until: budget::deadline() - Duration::from_millis(500),
        }
    }

    /// Waits before the next try. Returns `false` without waiting if no try or not enough time is left.
    pub async fn wait(&mut self) -> bool {
        if self.tries_left == 0 || Instant::now() + self.bound > self.until {
            return false;
        }
        tokio::time::sleep(jittered(self.bound)).await;
        self.tries_left -= 1;
        self.bound = (self.bound * 2).min(self.longest);
        true
    }
}
