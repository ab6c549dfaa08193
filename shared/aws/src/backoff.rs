//! Waits between tries: longer each time, drawn by chance, and never past the invocation's deadline.

use std::time::Duration;

use tokio::time::Instant;

use crate::budget;
use crate::jitter::jittered;

/// Waits with "full jitter": each is drawn between zero and a bound that doubles up to `longest`.
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    bound: Duration,
    longest: Duration,
    tries_left: u32,
    /// No wait ends later than this.
    until: Instant,
}

impl Backoff {
    /// Waits between calls that failed on their way: `tries` in all, the first included; the first wait is up to `first`.
    #[cfg(not(feature = "sdk-client"))]
    pub(crate) fn of_calls(tries: u32, first: Duration) -> Self {
        Self {
            bound: first,
            longest: Duration::MAX,
            tries_left: tries.saturating_sub(1),
            until: budget::spendable_until(),
        }
    }

    /// Waits between writes that lost to another writer: up to 10 ms first and 320 ms later, for as long as the invocation
    /// has time. Its last half second is left for the answer.
    pub fn of_conflicts() -> Self {
        Self {
            bound: Duration::from_millis(10),
            longest: Duration::from_millis(320),
            tries_left: u32::MAX,
            until: budget::deadline() - Duration::from_millis(500),
        }
    }

    /// Waits before another try. Returns `false` at once when there is none left, or no time for one.
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
