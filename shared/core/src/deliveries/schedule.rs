//! The schedule of attempts: after a failure they are repeated with growing waits, for three days.

use std::time::Duration;

use super::Posted;
use crate::{DeliveryId, Timestamp};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Waits after the first failed attempt, the second, and so on. The first ones are short, for a receiver that restarts.
/// All together span a weekend.
pub const WAITS: [Duration; 10] = [
    Duration::from_secs(5),
    MINUTE,
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(18),
    Duration::from_hours(20),
];
/// How long a delivery is attempted.
pub const LASTS: Duration = Duration::from_hours(72);
/// Longest wait that a receiver can ask for.
const ASKED_MAX: Duration = HOUR;
/// Divisor of the jitter: up to a 32nd of a wait is added to it, so that deliveries that fail together are not repeated
/// together.
const JITTER: u32 = 32;

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt at this time.
    Try(Timestamp),
    /// No more attempts: the delivery has failed.
    GiveUp,
}

/// Returns what follows the failed attempt `number` (from 1) of a delivery that started at `began`. A receiver's
/// `Retry-After` can make a wait longer, never shorter.
pub fn next(delivery: DeliveryId, number: u32, began: Timestamp, posted: &Posted, now: Timestamp) -> Next {
    let Some(wait) = number.checked_sub(1).and_then(|at| WAITS.get(at as usize)) else { return Next::GiveUp };
    let asked = posted.retry_after(now).unwrap_or_default().min(ASKED_MAX);
    let at = now.plus(wait.saturating_add(jitter(delivery, number, *wait)).max(asked));
    if at.since(began) > LASTS { Next::GiveUp } else { Next::Try(at) }
}

fn jitter(delivery: DeliveryId, number: u32, wait: Duration) -> Duration {
    spread(delivery, &number.to_string(), wait / JITTER)
}

/// Returns a part of `most` that is derived from the delivery and `what`. It is not random, so a step that is computed
/// twice is the same.
pub(super) fn spread(delivery: DeliveryId, what: &str, most: Duration) -> Duration {
    let hash = crate::ids::digest(&["delivery-jitter", &delivery.to_string(), what]);
    most * u32::from(u16::from_be_bytes([hash[0], hash[1]])) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Posted {
        Posted::Answered { status: 500, retry_after: None, excerpt: String::new() }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_795_257_000 + secs)
    }

    #[test]
    fn waits_grow_and_sum_to_less_than_three_days() {
        assert!(WAITS.windows(2).all(|pair| pair[0] < pair[1]));
        for n in 0..500 {
            let delivery = DeliveryId::derive(&[&n.to_string()]);
            let (mut now, mut waits) = (at(0), Vec::new());
            for number in 1.. {
                // An attempt may take all its time.
                now = now.plus(Duration::from_secs(10));
                let Next::Try(then) = next(delivery, number, at(0), &failed(), now) else { break };
                waits.push(then.since(now));
                now = then;
            }
            assert_eq!(waits.len(), WAITS.len(), "{waits:?}");
            assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
            assert!(waits.iter().zip(WAITS).all(|(real, least)| *real >= least && *real <= least + least / 32));
            assert!(now.since(at(0)) < LASTS && now.since(at(0)) > Duration::from_hours(69));
        }
    }

    #[test]
    fn deliveries_that_fail_together_are_repeated_apart() {
        let then = |n: u32| next(DeliveryId::derive(&[&n.to_string()]), 4, at(0), &failed(), at(0));
        let times: std::collections::BTreeSet<String> = (0..100).map(|n| format!("{:?}", then(n))).collect();
        assert!(times.len() > 90);
        assert_eq!(then(1), then(1));
    }

    #[test]
    fn a_receiver_can_ask_for_later_tries_within_bounds() {
        let delivery = DeliveryId::derive(&["x"]);
        let wait = |status, asked: &str| {
            let posted = Posted::Answered { status, retry_after: Some(asked.to_owned()), excerpt: String::new() };
            match next(delivery, 1, at(0), &posted, at(0)) {
                Next::Try(then) => then.since(at(0)).as_secs(),
                Next::GiveUp => 0,
            }
        };
        assert_eq!(wait(429, "120"), 120);
        assert_eq!(wait(503, "120"), 120);
        assert_eq!(wait(503, "Sat, 21 Nov 2026 10:32:00 GMT"), 120);
        assert_eq!(wait(503, "999999"), 3600, "an hour at most");
        for (status, asked) in
            [(503, "0"), (503, "-1"), (503, "soon"), (503, "Sat, 21 Nov 2020 10:32:00 GMT"), (500, "120")]
        {
            assert_eq!(wait(status, asked), 5, "{status} {asked}");
        }
        let late = next(delivery, 1, at(0).minus(LASTS), &failed(), at(0));
        assert_eq!(late, Next::GiveUp, "three days have passed");
    }
}
