//! The ledger of credits against a simple model, by random operations: grants, purchases, refunds and disputes in any
//! order, debits, holds and what becomes of them, expiries, replays, late arrivals, bursts, faults before a write and after
//! it. After each, the books must balance and agree with the model to the credit and to the lot.

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

/// What the ledger is asked through; a world may be told to fail.
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
    /// Lets the effect after `skip` others fail.
    fn fail_at(&self, _skip: u32, _moment: Moment) {}

    /// Lets nothing fail any more.
    fn calm(&self) {}

    /// Lets a key have had all the refunds of a day, if that can be done at once; says whether it was.
    fn spend_refunds(&self, _key: &KeyFacts, _day: Day) -> bool {
        false
    }

    /// Gives the marks an organisation was told of since this was last asked, if that can be known.
    fn told(&self, _org: OrgId) -> Option<Vec<u8>> {
        None
    }
}

impl Ledger for World {
    fn fail_at(&self, skip: u32, moment: Moment) {
        World::fail_at(self, skip, moment);
    }

    fn calm(&self) {
        self.fault_is_left();
    }

    fn spend_refunds(&self, key: &KeyFacts, day: Day) -> bool {
        self.change(|state| {
            state.accounts.refunds.insert((key.org, key.id, day), REFUNDS_A_DAY);
        });
        true
    }

    fn told(&self, org: OrgId) -> Option<Vec<u8>> {
        let mut outbox = Vec::new();
        self.change(|state| outbox = std::mem::take(&mut state.outbox));
        let low = outbox.iter().filter(|(_, entry)| entry.kind == "wallet.low");
        let details = low.map(|(_, entry)| serde_json::from_str::<Value>(&entry.detail).unwrap());
        let own = details.filter(|detail| detail["org_id"] == org.to_string());
        Some(own.map(|detail| detail["percent"].as_u64().unwrap().try_into().unwrap()).collect())
    }
}

/// Whatever the operation is, it is its first transaction that fails here.
impl Ledger for Table {
    fn fail_at(&self, _skip: u32, moment: Moment) {
        wire::plan(Some(moment));
    }

    fn calm(&self) {
        wire::plan(None);
    }
}

/// Tries sequences of operations on ledgers until one differs from the model; gives how many operations were made.
fn search<L: Ledger>(cases: u32, longest: usize, ledger: impl Fn() -> L) -> Result<u32, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One adapter for all: its connections belong to the runtime.
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
    assert!(made >= 10_000, "only {made} operations were made");
}

#[test]
fn so_do_hundreds_on_the_deployed_table() {
    let made = search(25, 80, || wire::table(&Stack::find())).unwrap();
    assert!(made >= 300, "only {made} operations were made");
    assert!(wire::met() >= 50, "only {} faults were met", wire::met());
}

#[test]
fn planted_bugs_are_found() {
    for bug in bugs::Bug::ALL {
        let found = search(2_000, 80, || bugs::Buggy { world: World::default(), bug });
        assert!(found.is_err(), "{bug:?} was not noticed");
    }
}
