//! Response times, in a structure whose size does not grow with their number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most different times that are kept exactly. With more, all are rounded.
const EXACT_MAX: usize = 1_500;
/// Number of binary digits that rounding keeps. So a rounded time is off by at most 1/128. Up to a day, the longest
/// time that can be reported, there are fewer than [`EXACT_MAX`] rounded times.
const DIGITS: u32 = 7;

/// Response times in milliseconds, as counts by time.
///
/// They are exact while there are at most 1,500 different ones. With more, each time is replaced with the middle of its
/// class, less than 0.8 % away. Whether times are rounded does not depend on their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ResponseTimes {
    counts: BTreeMap<u64, u64>,
    rounded: bool,
}

impl ResponseTimes {
    /// Adds a response time in milliseconds.
    pub fn add(&mut self, ms: u64) {
        let ms = if self.rounded { round(ms) } else { ms };
        *self.counts.entry(ms).or_default() += 1;
        if !self.rounded && self.counts.len() > EXACT_MAX {
            self.rounded = true;
            for (ms, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(round(ms)).or_default() += count;
            }
        }
    }

    /// Returns the percentile by the nearest-rank method: the smallest reported time that `hundredths` percent of the
    /// times do not exceed. Returns `None` without times.
    pub fn percentile(&self, hundredths: u64) -> Option<u64> {
        let total: u64 = self.counts.values().sum();
        let rank = (total * hundredths).div_ceil(100);
        let mut passed = 0;
        let reached = self.counts.iter().find(|(_, count)| {
            passed += **count;
            passed >= rank
        });
        reached.map(|(ms, _)| *ms)
    }
}

/// Returns the middle of a time's class. It is in the class itself, so rounding again changes nothing.
fn round(ms: u64) -> u64 {
    let length = u64::BITS - ms.leading_zeros();
    let cut = length.saturating_sub(DIGITS);
    if cut == 0 { ms } else { (ms >> cut << cut) + (1 << (cut - 1)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Longest time that is reported: a day.
    const LONGEST: u64 = 86_400_000;

    fn times(all: &[u64]) -> ResponseTimes {
        let mut times = ResponseTimes::default();
        for ms in all {
            times.add(*ms);
        }
        times
    }

    /// Computes the percentile by its definition.
    fn nearest_rank(all: &[u64], hundredths: usize) -> Option<u64> {
        let mut sorted = all.to_vec();
        sorted.sort_unstable();
        sorted.get((sorted.len() * hundredths).div_ceil(100).saturating_sub(1)).copied()
    }

    #[test]
    fn without_times_there_is_no_percentile() {
        assert_eq!(times(&[]).percentile(50), None);
        assert_eq!((times(&[7]).percentile(50), times(&[7]).percentile(95)), (Some(7), Some(7)));
        assert_eq!((times(&[1, 2]).percentile(50), times(&[1, 2]).percentile(95)), (Some(1), Some(2)));
    }

    #[test]
    fn all_possible_times_have_few_classes() {
        let mut classes = std::collections::BTreeSet::new();
        let mut ms = 0;
        while ms <= LONGEST {
            classes.insert(round(ms));
            // No class is narrower than this step.
            ms += (ms >> DIGITS).max(1);
        }
        assert!(classes.len() < EXACT_MAX, "{}", classes.len());
    }

    proptest! {
        #[test]
        fn rounding_is_precise_and_idempotent(ms in 0..=LONGEST) {
            prop_assert!(round(ms).abs_diff(ms) * 128 <= ms);
            prop_assert_eq!(round(round(ms)), round(ms));
        }

        #[test]
        fn percentiles_are_exact_while_there_are_few_different_times(
            all in prop::collection::vec(0_u64..1_500, 1..3_000),
        ) {
            for hundredths in [50, 95] {
                prop_assert_eq!(times(&all).percentile(hundredths), nearest_rank(&all, usize::try_from(hundredths).unwrap()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn percentiles_are_near_with_many_times_in_any_order(
            all in prop::collection::vec(0..=LONGEST, 1_600..4_000),
        ) {
            let mut sorted = all.clone();
            sorted.sort_unstable();
            prop_assert_eq!(times(&sorted), times(&all));
            prop_assert!(times(&all).rounded);
            for hundredths in [50, 95] {
                let right = nearest_rank(&all, usize::try_from(hundredths).unwrap()).unwrap();
                let near = times(&all).percentile(hundredths).unwrap();
                prop_assert!(near.abs_diff(right) * 128 <= right, "{} for {}", near, right);
            }
        }
    }
}
