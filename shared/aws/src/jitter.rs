//! Waits by chance.

use std::time::Duration;

/// Draws a wait between nothing and `longest`, so that those who met do not meet again.
/// Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (full jitter).
pub fn jittered(longest: Duration) -> Duration {
    let mut random = [0; 2];
    // Without randomness the full wait is as good.
    if getrandom::fill(&mut random).is_err() {
        return longest;
    }
    longest * u32::from(u16::from_be_bytes(random)) / u32::from(u16::MAX)
}
