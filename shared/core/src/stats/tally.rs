//! The tally of a day: counts its receipts, call by call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Figures, ResponseTimes};
use crate::credits::Receipt;
use crate::keys::KeyMode;
use crate::{KeyId, Timestamp};

/// Most names in a breakdown. Calls of further names count as [`OTHER`]. So a day's statistics always fit into one
/// item, and a partial count into one message.
const NAMES_MAX: usize = 500;
/// The name under which the calls beyond the limit are counted.
const OTHER: &str = "other";
/// The name under which calls without a known name are counted.
const UNKNOWN: &str = "unknown";

/// The parts of a receipt that are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedCall {
    /// When the call was admitted.
    pub at: Timestamp,
    /// The key that was charged.
    pub key: KeyId,
    /// Whether the key is for production or for tests.
    pub environment: KeyMode,
    /// Credits charged for the call.
    pub credits: u64,
    /// Service that was called, if known.
    pub service: Option<String>,
    /// Country of the call, if known.
    pub country: Option<String>,
    /// HTTP status and response time in milliseconds, once reported.
    pub outcome: Option<(u16, u64)>,
}

impl CountedCall {
    /// Extracts the counted parts of a receipt.
    pub fn of(receipt: &Receipt) -> Self {
        Self {
            at: receipt.at,
            key: receipt.key,
            environment: receipt.environment,
            credits: receipt.credits,
            service: receipt.call.service.clone(),
            country: receipt.call.country.clone(),
            outcome: receipt.outcome.as_ref().map(|outcome| (outcome.status_code, outcome.response_ms)),
        }
    }
}

/// The count of a day so far. A partial count is sent as JSON in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Tally {
    requests: u64,
    credits: u64,
    test_credits: u64,
    outcomes: u64,
    successes: u64,
    services: BTreeMap<String, u64>,
    keys: BTreeMap<String, u64>,
    countries: BTreeMap<String, u64>,
    times: ResponseTimes,
}

impl Tally {
    /// Adds a call. A call without an outcome counts as a request, but not for the success rate.
    pub fn count(&mut self, call: &CountedCall) {
        self.requests += 1;
        self.credits += call.credits;
        if call.environment == KeyMode::Test {
            self.test_credits += call.credits;
        }
        break_down(&mut self.services, call.service.as_deref().unwrap_or(UNKNOWN));
        break_down(&mut self.keys, &call.key.to_string());
        break_down(&mut self.countries, call.country.as_deref().unwrap_or(UNKNOWN));
        if let Some((status, ms)) = call.outcome {
            self.outcomes += 1;
            self.successes += u64::from((200..=399).contains(&status));
            self.times.add(ms);
        }
    }

    /// Returns the figures of all calls added so far.
    pub fn figures(self) -> Figures {
        Figures {
            requests: self.requests,
            credits: self.credits,
            test_credits: self.test_credits,
            outcomes: self.outcomes,
            successes: self.successes,
            p50_ms: self.times.percentile(50),
            p95_ms: self.times.percentile(95),
            services: self.services,
            keys: self.keys,
            countries: self.countries,
        }
    }
}

/// Counts one call under a name, or under [`OTHER`] if there are too many names.
fn break_down(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else {
        let name = if counts.len() < NAMES_MAX { name } else { OTHER };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: [&str; 2] = ["key_01M7YREWKH7VM7Z3Z2KWSH2FTS", "key_01M7YREWKH7VM7Z3Z2KWSH2FTT"];

    fn call() -> impl Strategy<Value = CountedCall> {
        let outcome = prop::option::of((100_u16..600, 0_u64..100_000));
        let service = prop::option::of(prop::sample::select(vec!["pdf", "ai", "mileage"]));
        let country = prop::option::of(prop::sample::select(vec!["FR", "DE", "T1"]));
        (any::<bool>(), any::<bool>(), 1_u64..100, service, country, outcome).prop_map(
            |(second, test, credits, service, country, outcome)| CountedCall {
                at: Timestamp::from_secs(1),
                key: KeyId::parse(KEYS[usize::from(second)]).unwrap(),
                environment: if test { KeyMode::Test } else { KeyMode::Production },
                credits,
                service: service.map(str::to_owned),
                country: country.map(str::to_owned),
                outcome,
            },
        )
    }

    fn tally(calls: &[CountedCall]) -> Tally {
        let mut tally = Tally::default();
        for call in calls {
            tally.count(call);
        }
        tally
    }

    proptest! {
        #[test]
        fn figures_equal_a_simple_count(calls in prop::collection::vec(call(), 0..200)) {
            let figures = tally(&calls).figures();
            let count = |wanted: &dyn Fn(&CountedCall) -> bool| calls.iter().filter(|call| wanted(call)).count() as u64;
            let credits = |test: bool| -> u64 {
                let paid = calls.iter().filter(|call| !test || call.environment == KeyMode::Test);
                paid.map(|call| call.credits).sum()
            };
            prop_assert_eq!(figures.requests, calls.len() as u64);
            prop_assert_eq!((figures.credits, figures.test_credits), (credits(false), credits(true)));
            prop_assert_eq!(figures.outcomes, count(&|call| call.outcome.is_some()));
            prop_assert_eq!(figures.successes, count(&|call| matches!(call.outcome, Some((200..=399, _)))));
            for (name, there) in &figures.services {
                prop_assert_eq!(*there, count(&|call| call.service.as_deref().unwrap_or("unknown") == name));
            }
            for (name, there) in &figures.keys {
                prop_assert_eq!(*there, count(&|call| call.key.to_string() == *name));
            }
            for (name, there) in &figures.countries {
                prop_assert_eq!(*there, count(&|call| call.country.as_deref().unwrap_or("unknown") == name));
            }
            for breakdown in [&figures.services, &figures.keys, &figures.countries] {
                prop_assert_eq!(breakdown.values().sum::<u64>(), figures.requests);
            }
        }

        #[test]
        fn a_count_can_be_continued_from_any_point(
            calls in prop::collection::vec(call(), 0..60), cut in 0_usize..60,
        ) {
            let (first, rest) = calls.split_at(cut.min(calls.len()));
            let text = serde_json::to_string(&tally(first)).unwrap();
            let mut again: Tally = serde_json::from_str(&text).unwrap();
            for call in rest {
                again.count(call);
            }
            prop_assert_eq!(again, tally(&calls));
        }
    }

    #[test]
    fn names_beyond_the_limit_count_together() {
        let mut counts = BTreeMap::new();
        for n in 0..NAMES_MAX + 7 {
            break_down(&mut counts, &n.to_string());
        }
        break_down(&mut counts, "0");
        assert_eq!((counts.len(), counts[OTHER], counts["0"]), (NAMES_MAX + 1, 7, 2));
    }

    #[test]
    fn a_partial_count_always_fits_into_a_message() {
        let mut tally = Tally::default();
        for n in 0..20_000_u64 {
            tally.count(&CountedCall {
                at: Timestamp::from_secs(1),
                key: KeyId::mint(Timestamp::from_secs(1)),
                environment: KeyMode::Production,
                credits: u64::MAX >> 20,
                service: Some(format!("{n:064}")),
                country: Some(format!("{n:02}")),
                outcome: Some((200, n * 4_000)),
            });
        }
        // The largest message that SQS certainly accepts is 256 KiB.
        assert!(serde_json::to_string(&tally).unwrap().len() < 200_000);
    }
}
