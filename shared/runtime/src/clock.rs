//! The clock. It is read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use consigne_core::Timestamp;
use consigne_core::ports::Clock;

/// Returns the current time.
pub fn now() -> Timestamp {
    // The one place where the clock is read.
    #[allow(clippy::disallowed_methods)]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// The machine's clock, as a port.
#[derive(Clone, Copy, Debug, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        now()
    }

    async fn wait_until(&self, at: Timestamp) {
        tokio::time::sleep(at.since(now())).await;
    }
}
