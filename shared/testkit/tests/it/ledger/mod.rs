//! The ledger of credits against a simple model, by random operations: grants, debits, expiries, replays, late arrivals,
//! bursts, faults before a write and after it. After each, the books must balance and agree with the model to the credit
//! and to the lot.

mod bugs;
mod model;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use consigne_core::credits::{BucketKind, Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome};
use consigne_core::keys::{KeyFacts, RefusalCode};
use consigne_core::ports::{ChargeKey, CreateOrg, GetWallet, GrantCredits, IssueKey};
use consigne_core::{Code, Timestamp};
use consigne_storage::Table;
use consigne_testkit::desk;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use self::model::{Debit, Model};

/// One operation. Holds, purchases and refunds will join these.
#[derive(Clone, Debug)]
enum Op {
    /// A lot comes, which expires after so many hours, if at all.
    Grant { paid: bool, amount: u64, hours: Option<u64> },
    /// The last grant is made again.
    GrantAgain,
    /// A debit, by an idempotency key that may have been used before; perhaps with a fault in it and a retry after it;
    /// perhaps late: admitted by a clock that is behind.
    Debit { cost: u64, key: u8, test: bool, fault: Option<Moment>, late_minutes: u64 },
    /// Several debits of one credit at once, all their own.
    Burst { calls: u8, test: bool },
    /// Time passes.
    Wait { hours: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let fault = prop_oneof![3 => Just(None), 1 => Just(Some(Moment::Before)), 1 => Just(Some(Moment::After))];
    prop_oneof![
        3 => (any::<bool>(), 1_u64..60, prop::option::of(1_u64..200))
            .prop_map(|(paid, amount, hours)| Op::Grant { paid, amount, hours }),
        1 => Just(Op::GrantAgain),
        8 => (1_u64..25, 0_u8..40, prop::bool::weighted(0.25), fault, prop_oneof![4 => Just(0_u64), 1 => 1_u64..90])
            .prop_map(|(cost, key, test, fault, late_minutes)| Op::Debit { cost, key, test, fault, late_minutes }),
        1 => (2_u8..8, any::<bool>()).prop_map(|(calls, test)| Op::Burst { calls, test }),
        2 => (1_u64..100).prop_map(|hours| Op::Wait { hours }),
        1 => (600_u64..2_000).prop_map(|hours| Op::Wait { hours }),
    ]
}

/// What the ledger is asked through; a world may be told to fail.
trait Ledger: CreateOrg + IssueKey + ChargeKey + GetWallet + GrantCredits + Sync {
    fn fail_next(&self, _moment: Moment) {}
}

impl Ledger for World {
    fn fail_next(&self, moment: Moment) {
        self.fail_at(0, moment);
    }
}

impl Ledger for Table {}

/// A ledger under test, beside its model.
struct Run<'a, L> {
    ledger: &'a L,
    /// A production key and a test key of one organisation, each with the model of its wallet.
    desks: [(KeyFacts, Model); 2],
    now: Timestamp,
    grants: Vec<CreditGrant>,
    bursts: u32,
}

impl<'a, L: Ledger> Run<'a, L> {
    async fn begin(ledger: &'a L, now: Timestamp) -> Self {
        let (org, owner) = desk::found(ledger, now).await;
        let live = desk::issue(ledger, &desk::key(org, &owner, false, now)).await;
        let test = desk::issue(ledger, &desk::key(org, &owner, true, now)).await;
        let desks = [(live, Model::default()), (test, Model::default())];
        Self { ledger, desks, now, grants: Vec::new(), bursts: 0 }
    }

    /// Makes one operation and says in what the ledger then differs from the model.
    async fn step(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::Wait { hours } => self.now = self.now.plus(Duration::from_hours(*hours)),
            Op::Grant { paid, amount, hours } => {
                let kind = if *paid { BucketKind::Paid } else { BucketKind::Promo };
                let org = self.desks[0].0.org;
                let expires_at = hours.map(|hours| self.now.plus(Duration::from_hours(hours)));
                let grant = desk::credits(org, kind, *amount, expires_at, self.now);
                same(&self.ledger.grant_credits(&grant).await.unwrap(), &CreditGrantOutcome::Granted)?;
                self.desks[0].1.grant(grant.id, kind, *amount, expires_at, self.now);
                self.grants.push(grant);
            }
            Op::GrantAgain => {
                if let Some(grant) = self.grants.last() {
                    let again = CreditGrant { now: self.now, ..grant.clone() };
                    same(&self.ledger.grant_credits(&again).await.unwrap(), &CreditGrantOutcome::GrantedBefore)?;
                }
            }
            Op::Debit { cost, key, test, fault, late_minutes } => {
                let at = self.now.minus(Duration::from_mins(*late_minutes));
                self.debit(usize::from(*test), *cost, *key, at, *fault).await?;
            }
            Op::Burst { calls, test } => self.burst(usize::from(*test), *calls).await?,
        }
        for (facts, model) in &self.desks {
            // A test wallet nobody has used is not there yet.
            if let Some(wallet) = self.ledger.get_wallet(&facts.wallet(), self.now).await.unwrap()
                && (facts.spender.is_none() || wallet.used > 0 || model.balance() > 0)
                && let Some(difference) = model.difference(&wallet, self.now)
            {
                return Err(format!("{:?}: {difference}", facts.wallet()));
            }
        }
        Ok(())
    }

    async fn debit(
        &mut self,
        desk: usize,
        cost: u64,
        key: u8,
        at: Timestamp,
        fault: Option<Moment>,
    ) -> Result<(), String> {
        let (facts, model) = &mut self.desks[desk];
        let key = format!("{desk}-{key}");
        let charge = desk::charge(facts, cost, Some(&key), at);
        let want = model.debit(cost, &key, desk == 1, at);
        if let Some(moment) = fault {
            self.ledger.fail_next(moment);
        }
        let outcome = match self.ledger.charge_key(&charge).await {
            Err(fault) if fault.code == Code::Unavailable => self.ledger.charge_key(&charge).await,
            outcome => outcome,
        };
        let got = match outcome.map_err(|fault| fault.chain())? {
            ChargeOutcome::Charged => Debit::Charged,
            ChargeOutcome::Replayed(receipt) => {
                same(&(receipt.id, receipt.credits), &(charge.receipt.id, cost))?;
                // After a lost answer the retry meets its own receipt.
                if fault.is_some() && want == Debit::Charged { Debit::Charged } else { Debit::Replayed }
            }
            ChargeOutcome::Mismatch => Debit::Mismatch,
            ChargeOutcome::Refused(refusal) => {
                same(&refusal.code, &RefusalCode::InsufficientCredits)?;
                Debit::Refused
            }
            ChargeOutcome::Moved => return Err("a spender moved".to_owned()),
        };
        same(&got, &want)
    }

    async fn burst(&mut self, desk: usize, calls: u8) -> Result<(), String> {
        self.bursts += 1;
        let (facts, model) = &mut self.desks[desk];
        let keys: Vec<String> = (0..calls).map(|call| format!("burst-{}-{call}", self.bursts)).collect();
        let asked: Vec<Charge> = keys.iter().map(|key| desk::charge(facts, 1, Some(key), self.now)).collect();
        let outcomes = join_all(asked.iter().map(|charge| self.ledger.charge_key(charge))).await;
        let charged = outcomes.iter().filter(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))).count();
        // Which of them pass is chance; how many is not.
        let mut wanted = 0;
        for key in &keys {
            wanted += usize::from(model.debit(1, key, desk == 1, self.now) == Debit::Charged);
        }
        same(&charged, &wanted)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, want: &T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("got {got:?}, should be {want:?}")) }
}

/// Tries sequences of operations on ledgers until one differs from the model; gives how many operations were made.
fn search<L: Ledger>(cases: u32, ledger: impl Fn() -> L) -> Result<u32, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // One adapter for all: its connections belong to the runtime.
    let ledger = ledger();
    let made = AtomicU32::new(0);
    let start = consigne_runtime::clock::now();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(op(), 1..80), |ops| {
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
    let made = search(400, World::default).unwrap();
    assert!(made >= 10_000, "only {made} operations were made");
}

#[test]
fn so_do_hundreds_on_the_deployed_table() {
    let made = search(25, || Stack::find().table()).unwrap();
    assert!(made >= 300, "only {made} operations were made");
}

#[test]
fn planted_bugs_are_found() {
    for bug in bugs::Bug::ALL {
        let found = search(400, || bugs::Buggy { world: World::default(), bug });
        assert!(found.is_err(), "{bug:?} was not noticed");
    }
}
