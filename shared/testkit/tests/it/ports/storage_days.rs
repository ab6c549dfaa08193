//! Contract of the ports for statistics of stored bytes: ledgers are listed, days stored.

use std::time::Duration;

use consigne_core::files::{Grant, GrantOutcome};
use consigne_core::periods::Day;
use consigne_core::ports::{GrantUpload, KeepStorage, ListStorage, WalkLedgers};
use consigne_core::stats::{DaySpan, Ledger, StorageDay, StorageTotals, Stored};
use consigne_core::{Plan, UserId};

use super::{eventually, file_of, now, on_both, owner};

/// The ports under test.
pub trait Storage: GrantUpload + WalkLedgers + KeepStorage + ListStorage + Sync {}
impl<T: GrantUpload + WalkLedgers + KeepStorage + ListStorage + Sync> Storage for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    every_ledger_is_listed_once_with_the_plan_of_its_last_grant,
    an_older_count_does_not_replace_a_newer_one,
    days_are_listed_in_order,
);

async fn granted(table: &impl Storage, owner: &UserId, size: u64, plan: Plan) {
    let grant = Grant {
        file: file_of(owner, "a.png", size, now()),
        plan,
        job: None,
        seen: None,
        idempotency: None,
        now: now(),
    };
    assert_eq!(table.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
}

async fn walk(table: &impl Storage) -> Vec<Ledger> {
    let (mut met, mut after) = (Vec::new(), None);
    loop {
        let (ledgers, next) = table.walk_ledgers(after.as_deref()).await.unwrap();
        met.extend(ledgers);
        after = next;
        if after.is_none() {
            return met;
        }
    }
}

async fn every_ledger_is_listed_once_with_the_plan_of_its_last_grant(table: &impl Storage) {
    let owners: Vec<UserId> = (0..7).map(|_| owner()).collect();
    for (n, owner) in (1..).zip(&owners) {
        granted(table, owner, n, Plan::Pro).await;
    }
    granted(table, &owners[0], 100, Plan::Basic).await;
    let own = async || {
        let met = walk(table).await;
        owners.iter().map(|owner| met.iter().filter(|met| met.owner == *owner).cloned().collect()).collect()
    };
    let met: Vec<Vec<Ledger>> = eventually(own, |met: &Vec<Vec<Ledger>>| met.iter().all(|met| !met.is_empty())).await;
    for (n, met) in (1..).zip(&met) {
        let (plan, reserved) = if n == 1 { (Plan::Basic, 101) } else { (Plan::Pro, n) };
        assert_eq!(met.len(), 1, "each once");
        assert_eq!((met[0].plan, met[0].usage.reserved, met[0].usage.committed), (plan, reserved, reserved));
    }
}

fn totals(users: u64) -> StorageTotals {
    StorageTotals::new([(Plan::Free, Stored { users, files: 2, bytes: 3, reserved: 4 })])
}

async fn an_older_count_does_not_replace_a_newer_one(table: &impl Storage) {
    let (day, at) = (Day::parse("1999-12-31").unwrap(), now());
    let store = async |users, counted_at| {
        table.keep_storage(&StorageDay { day, totals: totals(users), counted_at }).await.unwrap()
    };
    assert!(store(1, at).await);
    assert!(store(2, at).await, "the same message twice");
    assert!(!store(3, at.minus(Duration::from_millis(1))).await);
    let stored = table.list_storage(DaySpan::of(day)).await.unwrap();
    assert_eq!(stored, [StorageDay { day, totals: totals(2), counted_at: at }]);
}

async fn days_are_listed_in_order(table: &impl Storage) {
    let (first, at) = (Day::parse("2000-02-28").unwrap(), now());
    for days in [2, 0, 1, 4] {
        let stored = StorageDay { day: first.plus(days), totals: totals(u64::from(days)), counted_at: at };
        assert!(table.keep_storage(&stored).await.unwrap());
    }
    let listed = table.list_storage(DaySpan { from: first.plus(1), to: first.plus(4) }).await.unwrap();
    let users: Vec<u64> = listed.iter().map(|day| day.totals.of(Plan::Free).users).collect();
    assert_eq!(users, [1, 2, 4]);
}
