//! Random waits.

use std::time::Duration;

/// Draws a wait between zero and `longest`, so that callers that collided once do not collide again. Source: AWS
/// Architecture Blog, "Exponential Backoff And Jitter" (full jitter).
pub fn jittered(longest: Duration) -> Duration {
    let mut random = [0; 2];
    // Without a random number the full wait works as well.
    if getrandom::fill(&mut random).is_err() {
        return longest;
    }
    longest * u32::from(u16::from_be_bytes(random)) / u32::from(u16::MAX)
}
