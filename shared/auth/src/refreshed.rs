//! Values read from a secret that may change while an execution environment lives.
//!
//! They are read at start and every five minutes, so that a replaced or withdrawn secret is soon known everywhere. A
//! lookup that fails (a token added since, a key written under a newer pepper) reads the secret again at once. That
//! happens at most once a minute, so that nobody can make us read at will.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use consigne_core::Timestamp;
use tokio::sync::Mutex;

/// How long a value counts as fresh.
const FRESH: Duration = Duration::from_mins(5);
/// Shortest time between two reads.
const COOL_DOWN: Duration = Duration::from_mins(1);
/// The same while the value was never read.
const FIRST_COOL_DOWN: Duration = Duration::from_secs(1);
/// Longest time a read may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(1);

/// Reads the value again.
pub type Fetch<T> =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<T, Box<dyn Error + Send + Sync>>> + Send>> + Send + Sync>;

/// A value, and how to read it again.
pub struct Refreshed<T> {
    value: RwLock<Arc<T>>,
    fetch: Fetch<T>,
    tried_at: Mutex<Option<Timestamp>>,
    /// When it was last read, or a read was last tried, in milliseconds.
    read_at: AtomicI64,
    /// Whether the value was read at all.
    known: AtomicBool,
}

impl<T> fmt::Debug for Refreshed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refreshed(..)")
    }
}

impl<T> Refreshed<T> {
    /// Wraps a value that was read at `read_at`.
    pub fn new(value: T, read_at: Timestamp, fetch: Fetch<T>) -> Self {
        let (read_at, known) = (AtomicI64::new(read_at.as_millis()), AtomicBool::new(true));
        Self { value: RwLock::new(Arc::new(value)), fetch, tried_at: Mutex::default(), read_at, known }
    }

    /// Wraps a value that is read at its first use. Until then it is `value`.
    pub fn on_demand(value: T, fetch: Fetch<T>) -> Self {
        Self { known: AtomicBool::new(false), ..Self::new(value, Timestamp::from_secs(0), fetch) }
    }

    /// Returns whether the value was ever read. If not, nothing follows from what it lacks.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    /// Wraps a value that never changes.
    pub fn fixed(value: T) -> Self
    where
        T: Clone + Send + Sync + 'static,
    {
        let again = value.clone();
        Self::new(
            value,
            Timestamp::from_millis(i64::MAX),
            Box::new(move || {
                let again = again.clone();
                Box::pin(async move { Ok(again) })
            }),
        )
    }

    /// Returns the value of the last read.
    fn last(&self) -> Arc<T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the value, and reads it again first if it is old. If that fails, the old value is returned.
    pub async fn get(&self, now: Timestamp) -> Arc<T> {
        let read_at = Timestamp::from_millis(self.read_at.load(Ordering::Relaxed));
        if self.is_known() && now.since(read_at) < FRESH { self.last() } else { self.refresh(now).await }
    }

    /// Reads the value again, unless that was tried less than a minute ago, and returns it. If the read fails, the old
    /// value is returned. A value that was never read is tried again after a second.
    pub async fn refresh(&self, now: Timestamp) -> Arc<T> {
        let mut tried_at = self.tried_at.lock().await;
        let cool_down = if self.is_known() { COOL_DOWN } else { FIRST_COOL_DOWN };
        if tried_at.is_none_or(|tried| now.since(tried) >= cool_down) {
            *tried_at = Some(now);
            self.read_at.store(now.as_millis(), Ordering::Relaxed);
            // A secret that cannot be read quickly must not delay callers that need only the old value.
            if let Ok(Ok(value)) = tokio::time::timeout(FETCH_TIMEOUT, (self.fetch)()).await {
                *self.value.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                self.known.store(true, Ordering::Relaxed);
            }
        }
        self.last()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn counting() -> (Arc<AtomicU32>, Refreshed<u32>) {
        let reads = Arc::new(AtomicU32::new(0));
        let counter = reads.clone();
        let fetch: Fetch<u32> = Box::new(move || {
            let counter = counter.clone();
            Box::pin(async move {
                match counter.fetch_add(1, Ordering::Relaxed) {
                    1 => Err("down".into()),
                    n => Ok(n + 1),
                }
            })
        });
        (reads, Refreshed::new(0, Timestamp::from_secs(1_000), fetch))
    }

    #[tokio::test]
    async fn a_value_is_read_again_once_a_minute_at_most_and_survives_a_failure() {
        let (reads, value) = counting();
        let start = Timestamp::from_secs(1_000);
        for _ in 0..100 {
            assert_eq!(*value.refresh(start).await, 1);
        }
        assert_eq!(reads.load(Ordering::Relaxed), 1);
        assert_eq!(*value.refresh(start.plus(Duration::from_mins(1))).await, 1, "a failed read keeps the value");
        assert_eq!(*value.refresh(start.plus(Duration::from_mins(2))).await, 3);
        let later = |minutes| start.plus(Duration::from_mins(minutes));
        assert_eq!((*value.get(later(6)).await, reads.load(Ordering::Relaxed)), (3, 3));
    }

    #[tokio::test]
    async fn a_value_is_read_anew_when_it_is_five_minutes_old() {
        let (reads, value) = counting();
        let start = Timestamp::from_secs(1_000);
        for seconds in 0..300 {
            assert_eq!(*value.get(start.plus(Duration::from_secs(seconds))).await, 0);
        }
        assert_eq!(reads.load(Ordering::Relaxed), 0, "nothing is read between refreshes");
        assert_eq!(*value.get(start.plus(Duration::from_mins(5))).await, 1);
    }
}
