//! Spaces calls to a service that answers only a few a second.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The pace at which a service may be asked.
#[derive(Debug)]
pub(crate) struct Pace {
    between: Duration,
    /// When it may be asked next.
    next: Cell<Option<Instant>>,
}

impl Pace {
    /// Creates one with this time between the beginnings of two calls.
    pub(crate) fn new(between: Duration) -> Self {
        Self { between, next: Cell::new(None) }
    }

    /// Waits until the next call may begin.
    pub(crate) async fn turn(&self) {
        let now = Instant::now();
        let at = self.next.get().map_or(now, |next| next.max(now));
        self.next.set(Some(at + self.between));
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_want_to_begin_at_once_begin_one_after_the_other() {
        let (pace, began) = (Pace::new(Duration::from_secs(1)), Instant::now());
        let turns = (0..3).map(|_| async {
            pace.turn().await;
            began.elapsed().as_secs()
        });
        assert_eq!(join_all(turns).await, [0, 1, 2]);
        tokio::time::sleep(Duration::from_secs(9)).await;
        pace.turn().await;
        assert_eq!(began.elapsed().as_secs(), 11, "a service that has rested is asked at once");
    }
}
