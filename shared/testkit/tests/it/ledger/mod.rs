//! Compares wallets with a simple model under random operations: grants, purchases, refunds and disputes in any order,
//! debits, holds and their ends, expiries, replays, late arrivals, bursts, and faults before and after a write. After
//! each operation the wallet must balance, and agree with the model in every lot.

mod bugs;
mod model;
mod ops;
mod payments;
mod run;
mod wire;

use std::sync::atomic::{AtomicU32, Ordering};

use consigne_core::OrgId;
use consigne_core::credits::REFUNDS_A_DAY;
use consigne_core::keys::KeyFacts;
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChargeKey, ClawBackCredits, CreateOrg, CreditPurchase, GetHold, GetWallet, GrantCredits, IssueKey, OpenHold,
    ResolveHold,
};
use consigne_storage::Table;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::stack::Stack;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use self::run::Run;

/// The ports under test. Faults can be planned on some implementations.
pub trait Ledger:
    CreateOrg
    + IssueKey
    + ChargeKey
    + GetWallet
    + GrantCredits
    + OpenHold
    + GetHold
    + ResolveHold
    + CreditPurchase
    + ClawBackCredits
    + Sync
{
    /// Plans a fault in the effect after the next `skip`.
    fn fail_at(&self, _skip: u32, _moment: Moment) {}

    /// Removes planned faults.
    fn clear_faults(&self) {}

    /// Uses up a key's refunds of a day, if this can be done directly. Returns whether it was done.
    fn spend_refunds(&self, _key: &KeyFacts, _day: Day) -> bool {
        false
    }

    /// Returns the alert thresholds reported to an organisation since the last call, if they can be read.
    fn alerts(&self, _org: OrgId) -> Option<Vec<u8>> {
        None
    }
}

impl Ledger for World {
    fn fail_at(&self, skip: u32, moment: Moment) {
        World::fail_at(self, skip, moment);
    }

    fn clear_faults(&self) {
        self.fault_is_left();
    }

    fn spend_refunds(&self, key: &KeyFacts, day: Day) -> bool {
        self.change(|state| {
            state.accounts.refunds.insert((key.org, key.id, day), REFUNDS_A_DAY);
        });
        true
    }

    fn alerts(&self, org: OrgId) -> Option<Vec<u8>> {
        let mut outbox = Vec::new();
        self.change(|state| outbox = std::mem::take(&mut state.outbox));
        let low = outbox.iter().filter(|(_, entry)| entry.kind == "wallet.low");
        let details = low.map(|(_, entry)| serde_json::from_str::<Value>(&entry.detail).unwrap());
        let own = details.filter(|detail| detail["org_id"] == org.to_string());
        Some(own.map(|detail| detail["percent"].as_u64().unwrap().try_into().unwrap()).collect())
    }
}

/// On the real table, the first transaction of the operation fails.
impl Ledger for Table {
    fn fail_at(&self, _skip: u32, moment: Moment) {
        wire::plan(Some(moment));
    }

    fn clear_faults(&self) {
        wire::plan(None);
    }
}

/// Runs random sequences of operations until a ledger differs from the model. Returns the number of operations.
fn search<L: Ledger>(cases: u32, longest: usize, ledger: impl Fn() -> L) -> Result<u32, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One adapter for all cases, because its connections belong to the runtime.
    let ledger = ledger();
    let made = AtomicU32::new(0);
    let start = consigne_runtime::clock::now();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(ops::op(), 1..longest), |ops| {
        let run = async {
            let mut run = Run::begin(&ledger, start).await;
            for op in &ops {
                run.step(op).await.map_err(|difference| format!("at {op:?}: {difference}"))?;
                made.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, String>(())
        };
        runtime.block_on(run).map_err(TestCaseError::fail)
    });
    outcome.map(|()| made.load(Ordering::Relaxed)).map_err(|error| error.to_string())
}

#[test]
fn ten_thousand_operations_agree_with_the_model() {
    let made = search(400, 80, World::default).unwrap();
    assert!(made >= 10_000, "only {made} operations were run");
}

#[test]
fn hundreds_of_operations_on_the_deployed_table_agree_with_the_model() {
    let made = search(25, 80, || wire::table(&Stack::find())).unwrap();
    assert!(made >= 300, "only {made} operations were run");
    assert!(wire::met() >= 50, "only {} faults happened", wire::met());
}

#[test]
fn planted_bugs_are_found() {
    for bug in bugs::Bug::ALL {
        let found = search(2_000, 80, || bugs::Buggy { world: World::default(), bug });
        assert!(found.is_err(), "{bug:?} was not noticed");
    }
}
