//! The clock. It is read here and nowhere else.

use std::time::{SystemTime, UNIX_EPOCH};

use consigne_core::Timestamp;

/// Returns the current time.
pub fn now() -> Timestamp {
    // The one place where the clock is read.
    #[allow(clippy::disallowed_methods)]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
