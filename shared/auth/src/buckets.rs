//! Rates by token bucket, in the memory of one execution environment.
//!
//! A bucket starts full, with the allowance of a minute, and refills evenly. Each environment fills buckets of its own
//! and forgets them when it ends, so the rates are approximate: a user whose requests reach ten environments can make up
//! to ten times as many. In return a count costs no call.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use consigne_core::{Code, Fault, Timestamp, UserId};

/// Most buckets that are kept. A full bucket is forgotten first, because a user without one starts with a full one.
const BUCKETS_MAX: usize = 10_000;
/// Time in which an empty bucket fills up, in microseconds.
const REFILL: i64 = 60_000_000;

/// A bucket for each user. It is stored as the time at which it will be full, in microseconds since 1970.
#[derive(Debug, Default)]
pub struct Buckets(Mutex<HashMap<UserId, i64>>);

impl Buckets {
    /// Takes one token from a user's bucket, which holds `limit` tokens, at least 1. `counted` says what is counted, such
    /// as `reads`.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the bucket is empty. It says when the next token is there. Nothing is taken then.
    pub fn take(&self, user: &UserId, limit: u32, counted: &str, now: Timestamp) -> Result<(), Fault> {
        let at = now.as_millis().saturating_mul(1_000);
        let each = REFILL / i64::from(limit.max(1));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(user).copied().unwrap_or(at).max(at).saturating_add(each);
        let wait = full_at - at - REFILL;
        if wait > 0 {
            let resets_at = Timestamp::from_millis((at + wait).div_euclid(1_000) + i64::from((at + wait) % 1_000 > 0));
            return Err(Fault::new(
                Code::RateLimited,
                format!("Your plan allows {limit} {counted} a minute; try again at {resets_at}"),
            )
            .limited(limit.into(), resets_at, now));
        }
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(user) {
            buckets.retain(|_, full_at| *full_at > at);
            // Thousands of users within a minute, in one environment. To forget them all is kinder than to refuse one.
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        buckets.insert(user.clone(), full_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn user(n: usize) -> UserId {
        UserId::parse(&format!("user_{n}")).unwrap()
    }

    #[test]
    fn a_bucket_holds_a_minutes_allowance_and_refills_evenly() {
        let buckets = Buckets::default();
        let take = |millis| buckets.take(&user(1), 120, "reads", START.plus(Duration::from_millis(millis)));
        for n in 0..120 {
            assert!(take(0).is_ok(), "{n}");
        }
        let fault = take(0).unwrap_err();
        assert_eq!((fault.code, fault.details["limit"].as_u64()), (Code::RateLimited, Some(120)));
        for (name, value) in
            [("retry-after", "1"), ("ratelimit-limit", "120"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "1")]
        {
            assert!(fault.headers.contains(&(name, value.to_owned())), "{:?}", fault.headers);
        }
        assert!(take(499).is_err(), "a token comes every half second");
        assert!(take(500).is_ok());
        assert!(take(500).is_err());
        assert!(buckets.take(&user(2), 120, "reads", START).is_ok(), "everybody has a bucket of their own");
    }

    #[test]
    fn a_refusal_names_a_wait_after_which_a_token_is_there() {
        let buckets = Buckets::default();
        // A seventh of a minute is no whole number of milliseconds.
        let take = |at| buckets.take(&user(1), 7, "reads", at);
        assert!((0..7).all(|_| take(START).is_ok()));
        let refused = take(START).unwrap_err();
        assert!(refused.headers.contains(&("retry-after", "9".to_owned())), "{:?}", refused.headers);
        assert!(take(START.plus(Duration::from_millis(8_571))).is_err());
        assert!(take(START.plus(Duration::from_millis(8_572))).is_ok());
    }

    #[test]
    fn memory_is_bounded_and_full_buckets_go_first() {
        let buckets = Buckets::default();
        let later = START.plus(Duration::from_mins(2));
        for n in 0..BUCKETS_MAX - 1 {
            buckets.take(&user(n), 60, "reads", START).unwrap();
        }
        (0..60).for_each(|_| buckets.take(&user(BUCKETS_MAX), 60, "reads", later).unwrap());
        buckets.take(&user(BUCKETS_MAX + 1), 60, "reads", later).unwrap();
        assert_eq!(buckets.0.lock().unwrap().len(), 2);
        assert!(buckets.take(&user(BUCKETS_MAX), 60, "reads", later).is_err(), "an empty bucket is kept");
    }

    proptest! {
        /// In a span of time nobody takes more than a full bucket and what refills meanwhile.
        #[test]
        fn no_more_is_taken_than_a_bucket_and_its_refill(
            limit in 1_u32..2_000,
            steps in prop::collection::vec(0_u64..500, 1..400),
        ) {
            let (buckets, mut now, mut taken) = (Buckets::default(), START, 0_u64);
            for step in steps {
                now = now.plus(Duration::from_millis(step));
                taken += u64::from(buckets.take(&user(1), limit, "reads", now).is_ok());
                let passed = u64::try_from(now.since(START).as_millis()).unwrap();
                // A token is due a little early, because its time is cut to whole microseconds.
                let refilled = passed * 1_000 / (60_000_000 / u64::from(limit));
                prop_assert!(taken <= u64::from(limit) + refilled + 1);
            }
        }
    }
}
