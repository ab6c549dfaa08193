//! The notice that a person's storage is nearly full.
//!
//! Only grants make a ledger grow, so the event is written with the grant that crosses the mark. No state is needed:
//! the mark can be crossed again only after usage has fallen below it.

use std::ops::Range;

use super::Grant;
use crate::Plan;
use crate::events::{Event, EventData, Quota, QuotaExceeded};

/// Share of a plan's storage at which the owner is notified, in percent.
pub const NOTICE_PERCENT: u8 = 80;

/// Returns the mark of a plan, in bytes.
fn mark(plan: Plan) -> u64 {
    let bytes = u128::from(plan.allowances().storage) * u128::from(NOTICE_PERCENT) / 100;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Grant {
    /// Returns the range in which the committed bytes before the grant must be, so that the grant crosses the mark.
    pub fn band(&self) -> Range<u64> {
        let mark = mark(self.plan);
        mark.saturating_sub(self.file.size)..mark
    }

    /// Returns the event if the grant crosses the mark. `committed` is the number of bytes committed before the grant.
    pub fn notice(&self, committed: u64) -> Option<Event> {
        if !self.band().contains(&committed) {
            return None;
        }
        let exceeded = QuotaExceeded {
            user_id: self.file.owner().clone(),
            quota: Quota::Storage,
            percent: NOTICE_PERCENT,
            used: committed.saturating_add(self.file.size),
            limit: self.plan.allowances().storage,
        };
        Some(Event::new(self.now, EventData::QuotaExceeded(exceeded)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::{GrantRequest, UPLOAD_GRANT_VALID};
    use crate::{Timestamp, UserId};

    fn grant(size: u64) -> Grant {
        let (owner, now) = (UserId::parse("user_ann1").unwrap(), Timestamp::from_secs(1_795_257_000));
        let request = GrantRequest::parse("a.png", "image/png", size, None, None).unwrap();
        let file = request.admit(&owner, Plan::Free, UPLOAD_GRANT_VALID, now).unwrap();
        Grant { file, plan: Plan::Free, job: None, seen: None, idempotency: None, now }
    }

    #[test]
    fn only_the_grant_that_crosses_the_mark_has_a_notice() {
        let mark = mark(Plan::Free);
        assert_eq!(mark, 858_993_459, "80 % of a GiB, rounded down");
        for (committed, notified) in [
            (0, false),
            (mark - 1_001, false),
            (mark - 1_000, true),
            (mark - 1, true),
            (mark, false),
            (mark + 1, false),
        ] {
            assert_eq!(grant(1_000).notice(committed).is_some(), notified, "{committed}");
        }
        let detail = grant(1_000).notice(mark - 1).unwrap().detail();
        assert_eq!(detail["used"], mark - 1 + 1_000);
        assert_eq!(detail["limit"], 1 << 30);
    }

    proptest! {
        #[test]
        fn each_upward_crossing_has_one_notice(
            steps in proptest::collection::vec((1_u64..=10 << 20, any::<bool>()), 0..300),
            begun in 0_u64..1 << 30,
        ) {
            let (mut committed, mut notices, mut crossed) = (begun, 0, 0);
            for (size, up) in steps {
                if up {
                    notices += u32::from(grant(size).notice(committed).is_some());
                    crossed += u32::from(committed < mark(Plan::Free) && committed + size >= mark(Plan::Free));
                    committed += size;
                } else {
                    committed = committed.saturating_sub(size);
                }
            }
            prop_assert_eq!(notices, crossed);
        }
    }
}
