//! The storage used by all users, by plan. It is counted from their ledgers, which record the plan of the last grant.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::files::Usage;
use crate::periods::Day;
use crate::{Fault, Plan, Timestamp, UserId};

/// A user's ledger, with the plan of their last grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Id of the user.
    pub owner: UserId,
    /// The plan of their last grant.
    pub plan: Plan,
    /// What they store and have reserved.
    pub usage: Usage,
}

/// What the users of one plan store together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Stored {
    /// Users who store a file or have bytes reserved for one.
    pub users: u64,
    /// Number of stored files.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// Bytes reserved for uploads that have not arrived.
    pub reserved: u64,
}

/// Storage totals by plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageTotals(BTreeMap<Plan, Stored>);

impl StorageTotals {
    /// Creates totals from the totals of each plan.
    pub fn new(plans: impl IntoIterator<Item = (Plan, Stored)>) -> Self {
        Self(plans.into_iter().collect())
    }

    /// Adds a user, unless they store nothing.
    pub fn count(&mut self, ledger: &Ledger) {
        let Ledger { plan, usage, .. } = ledger;
        if usage.committed == 0 {
            return;
        }
        let stored = self.0.entry(*plan).or_default();
        stored.users += 1;
        stored.files += usage.files(None);
        stored.bytes += usage.bytes();
        stored.reserved += usage.reserved;
    }

    /// Returns what the users of a plan store.
    pub fn of(&self, plan: Plan) -> Stored {
        self.0.get(&plan).copied().unwrap_or_default()
    }

    /// Returns what the users of each plan store, the cheapest plan first. Plans without stored bytes are left out.
    pub fn plans(&self) -> impl Iterator<Item = (Plan, Stored)> + '_ {
        self.0.iter().map(|(plan, stored)| (*plan, *stored))
    }
}

/// The storage totals counted in a night.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageDay {
    /// The day (UTC) of the night.
    pub day: Day,
    /// The totals by plan.
    pub totals: StorageTotals,
    /// When the count began.
    pub counted_at: Timestamp,
}

/// The queue message for a night's storage count, with the partial count to continue, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageMessage {
    /// The day (UTC) of the night.
    pub day: Day,
    /// The partial count of earlier messages.
    pub begun: Option<StorageBegun>,
}

/// A partial count: the invocation before ran out of time. It is in the message itself, like that of receipts in
/// [`super::Begun`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageBegun {
    /// When the count began.
    pub at: Timestamp,
    /// The position after which to continue.
    pub after: String,
    /// The count so far.
    pub totals: StorageTotals,
}

#[derive(Deserialize, Serialize)]
struct Wire {
    day: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    begun: Option<BegunWire>,
}

#[derive(Deserialize, Serialize)]
struct BegunWire {
    at_ms: i64,
    after: String,
    plans: BTreeMap<String, Stored>,
}

impl StorageMessage {
    /// Creates the message that starts the count of a night.
    pub fn new(day: Day) -> Self {
        Self { day, begun: None }
    }

    /// Returns whether the count began on its day, or would begin on it. It may end after midnight. A past day can no
    /// longer be counted, because ledgers show only what is stored now.
    pub fn is_timely(&self, now: Timestamp) -> bool {
        let began = self.begun.as_ref().map_or(now, |begun| begun.at);
        Day::of(began) == self.day
    }

    /// Encodes the message as JSON.
    ///
    /// # Errors
    /// `INTERNAL` if the JSON encoding fails, which it does not for this type.
    pub fn message(&self) -> Result<String, Fault> {
        let begun = self.begun.as_ref().map(|begun| BegunWire {
            at_ms: begun.at.as_millis(),
            after: begun.after.clone(),
            plans: begun.totals.plans().map(|(plan, stored)| (plan.name().to_owned(), stored)).collect(),
        });
        serde_json::to_string(&Wire { day: self.day.to_string(), begun }).map_err(Fault::internal)
    }

    /// Parses a message.
    ///
    /// # Errors
    /// `INTERNAL` if it is malformed. It then goes to the dead-letter queue.
    pub fn parse(message: &str) -> Result<Self, Fault> {
        let wire: Wire = serde_json::from_str(message).map_err(Fault::internal)?;
        let day = Day::parse(&wire.day).ok_or_else(|| Fault::internal("the message names no day"))?;
        let begun = wire.begun.map(|begun| StorageBegun {
            at: Timestamp::from_millis(begun.at_ms),
            after: begun.after,
            totals: StorageTotals::new(begun.plans.iter().map(|(name, stored)| (Plan::from_name(name), *stored))),
        });
        Ok(Self { day, begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::KindUsage;

    fn ledger(plan: Plan, files: u64, reserved: u64) -> Ledger {
        let mut usage = Usage { committed: files * 10 + reserved, reserved, ..Usage::default() };
        usage.by_kind[0] = KindUsage { files, bytes: files * 10 };
        Ledger { owner: UserId::parse("user_ann1").unwrap(), plan, usage }
    }

    #[test]
    fn users_who_store_something_are_counted_under_their_plan() {
        let mut totals = StorageTotals::default();
        for ledger in
            [ledger(Plan::Pro, 2, 5), ledger(Plan::Pro, 1, 0), ledger(Plan::Free, 0, 7), ledger(Plan::Basic, 0, 0)]
        {
            totals.count(&ledger);
        }
        let plans: Vec<_> = totals.plans().collect();
        let free = Stored { users: 1, files: 0, bytes: 0, reserved: 7 };
        let pro = Stored { users: 2, files: 3, bytes: 30, reserved: 5 };
        assert_eq!(plans, [(Plan::Free, free), (Plan::Pro, pro)]);
        assert_eq!((totals.of(Plan::Pro), totals.of(Plan::Basic)), (pro, Stored::default()));
    }

    #[test]
    fn a_message_reads_back() {
        let fresh = StorageMessage::new(Day::parse("2026-11-21").unwrap());
        let mut totals = StorageTotals::default();
        totals.count(&ledger(Plan::Enterprise, 4, 1));
        let begun = StorageBegun { at: Timestamp::from_millis(1_234), after: "[0,\"USER#u\"]".to_owned(), totals };
        for task in [fresh.clone(), StorageMessage { begun: Some(begun), ..fresh.clone() }] {
            assert_eq!(StorageMessage::parse(&task.message().unwrap()).unwrap(), task);
        }
        assert_eq!(fresh.message().unwrap(), r#"{"day":"2026-11-21"}"#);
        for bad in ["", "{}", "[]", r#"{"day":"21"}"#, r#"{"day":"2026-11-21","begun":{}}"#] {
            assert!(StorageMessage::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_count_must_begin_on_its_own_day() {
        let task = StorageMessage::new(Day::parse("2026-11-21").unwrap());
        for (now, timely) in [
            ("2026-11-20T23:59:59Z", false),
            ("2026-11-21T03:00:00Z", true),
            ("2026-11-21T23:59:59Z", true),
            ("2026-11-22T00:00:00Z", false),
        ] {
            assert_eq!(task.is_timely(Timestamp::parse(now).unwrap()), timely, "{now}");
        }
        let at = Timestamp::parse("2026-11-21T23:59:59Z").unwrap();
        let begun = StorageBegun { at, after: String::new(), totals: StorageTotals::default() };
        let begun = StorageMessage { begun: Some(begun), ..task };
        assert!(begun.is_timely(Timestamp::parse("2026-11-22T00:01:00Z").unwrap()));
    }
}
