//! Runs operations on a ledger and on its model, and compares them.

use std::time::Duration;

use consigne_core::credits::{
    Charge, ChargeOutcome, ClawBack, ClawBackOutcome, CreditGrant, CreditGrantOutcome, HoldEnd, HoldId, LotKind,
    OpeningOutcome, PurchaseOutcome, ResolutionOutcome, VoidReason,
};
use consigne_core::keys::{KeyFacts, RefusalCode};
use consigne_core::periods::Day;
use consigne_core::{Code, Fault, Timestamp};
use consigne_testkit::accounts;
use consigne_testkit::fakes::Moment;
use consigne_usecases::holds::resolve;
use futures_util::future::join_all;

use super::Ledger;
use super::model::{Debit, Model, Resolved};
use super::ops::{CENTS, Op, PAYMENTS};
use super::payments::Payment;

/// A ledger under test, with its model.
pub struct Run<'a, L> {
    ledger: &'a L,
    /// A production key and a test key of one organisation, each with the model of its wallet.
    wallets: [(KeyFacts, Model); 2],
    now: Timestamp,
    grants: Vec<CreditGrant>,
    payments: Vec<Payment>,
    /// Holds, with the index of their wallet and their number in its model.
    holds: Vec<(HoldId, usize, usize, u64)>,
    bursts: u32,
}

impl<'a, L: Ledger> Run<'a, L> {
    pub async fn begin(ledger: &'a L, now: Timestamp) -> Self {
        let (org, owner) = accounts::found(ledger, now).await;
        let live = accounts::issue(ledger, &accounts::key(org, &owner, false, now)).await;
        let test = accounts::issue(ledger, &accounts::key(org, &owner, true, now)).await;
        let wallets = [(live, Model::default()), (test, Model::default())];
        let payments = (0..PAYMENTS).map(|number| Payment::of(org, number)).collect();
        Self { ledger, wallets, now, grants: Vec::new(), payments, holds: Vec::new(), bursts: 0 }
    }

    /// Runs one operation. Returns how the ledger then differs from the model.
    pub async fn step(&mut self, op: &Op) -> Result<(), String> {
        // No two operations have the same time, because lots are ordered by it.
        self.now = self.now.plus(Duration::from_millis(1));
        match op {
            Op::Wait { hours } => self.now = self.now.plus(Duration::from_hours(*hours)),
            Op::Grant { paid, amount, hours } => self.grant(*paid, *amount, *hours).await?,
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
            Op::Hold { amount, test, hours, fault } => self.hold(usize::from(*test), *amount, *hours, *fault).await?,
            Op::Settle { back, percent, fault } => {
                if let Some(hold) = self.hold_before(*back) {
                    let amount = hold.3 * percent / 100;
                    self.resolve(hold, accounts::settled(amount), *fault).await?;
                }
            }
            Op::Void { back, provider, fault } => {
                if let Some(hold) = self.hold_before(*back) {
                    let reason = if *provider { VoidReason::ProviderError } else { VoidReason::CallerError };
                    self.resolve(hold, HoldEnd::Voided(reason), *fault).await?;
                }
            }
            Op::RefundsSpent { test } => {
                let (facts, model) = &mut self.wallets[usize::from(*test)];
                let day = Day::of(self.now);
                if self.ledger.spend_refunds(facts, day) {
                    model.unrefunded = Some(day);
                }
            }
            Op::Sweep => self.sweep().await?,
            Op::Buy { payment, credits, fault } => self.buy(*payment, *credits, *fault).await?,
            Op::Refund { payment, percent, fault } => {
                let (cents, now) = (CENTS * percent / 100, self.now);
                let report = self.payments[*payment].refund(cents, now);
                self.payments[*payment].model_refunds(&mut self.wallets[0].1, cents, now);
                self.claw_back(&report, *fault).await?;
            }
            Op::RefundFails { payment, second, percent, hours, fault } => {
                let (cents, now) = (CENTS * percent / 100, self.now);
                let created = now.minus(Duration::from_hours(*hours));
                let id = if *second { "re_2" } else { "re_1" };
                let report = self.payments[*payment].refund_failed(id, cents, created, now);
                self.payments[*payment].model_refund_fails(&mut self.wallets[0].1, id, cents, [created, now]);
                self.claw_back(&report, *fault).await?;
            }
            Op::Dispute { payment, second, percent, state, fault } => {
                let (cents, now) = (CENTS * percent / 100, self.now);
                let id = if *second { "dp_2" } else { "dp_1" };
                let report = self.payments[*payment].dispute(id, cents, *state, now);
                self.payments[*payment].model_disputes(&mut self.wallets[0].1, id, cents, *state, now);
                self.claw_back(&report, *fault).await?;
            }
        }
        self.compare().await
    }

    async fn compare(&mut self) -> Result<(), String> {
        for (facts, model) in &self.wallets {
            // A test wallet does not exist before its first use.
            if let Some(wallet) = self.ledger.get_wallet(&facts.wallet(), self.now).await.unwrap()
                && (facts.spender.is_none() || model.is_begun())
                && let Some(difference) = model.difference(&wallet, self.now)
            {
                return Err(format!("{:?}: {difference}", facts.wallet()));
            }
        }
        let want = std::mem::take(&mut self.wallets[0].1.alerts);
        match self.ledger.alerts(self.wallets[0].0.org) {
            Some(alerts) => same(&alerts, &want),
            None => Ok(()),
        }
    }

    async fn grant(&mut self, paid: bool, amount: u64, hours: Option<u64>) -> Result<(), String> {
        let kind = if paid { LotKind::Paid } else { LotKind::Promo };
        let expires_at = hours.map(|hours| self.now.plus(Duration::from_hours(hours)));
        let grant = accounts::credits(self.wallets[0].0.org, kind, amount, expires_at, self.now);
        same(&self.ledger.grant_credits(&grant).await.unwrap(), &CreditGrantOutcome::Granted)?;
        self.wallets[0].1.grant(grant.id, kind, amount, expires_at, self.now);
        self.grants.push(grant);
        Ok(())
    }

    async fn debit(
        &mut self,
        wallet: usize,
        cost: u64,
        key: u8,
        at: Timestamp,
        fault: Option<Moment>,
    ) -> Result<(), String> {
        let (facts, model) = &mut self.wallets[wallet];
        let key = format!("{wallet}-{key}");
        let charge = accounts::charge(facts, cost, Some(&key), at);
        let want = model.debit(cost, &key, wallet == 1, at);
        let outcome = retried(self.ledger, fault, 0, async || self.ledger.charge_key(&charge).await).await;
        let got = match outcome.map_err(|fault| fault.chain())? {
            ChargeOutcome::Charged => Debit::Charged,
            ChargeOutcome::Replayed(receipt) => {
                same(&(receipt.id, receipt.credits), &(charge.receipt.id, cost))?;
                // After a lost answer the retry finds its own receipt.
                if fault.is_some() && want == Debit::Charged { Debit::Charged } else { Debit::Replayed }
            }
            ChargeOutcome::KeyReused => Debit::Mismatch,
            ChargeOutcome::Refused(refusal) => {
                same(&refusal.code, &RefusalCode::InsufficientCredits)?;
                Debit::Refused
            }
            ChargeOutcome::PayerChanged => return Err("a spender moved".to_owned()),
        };
        same(&got, &want)
    }

    async fn burst(&mut self, wallet: usize, calls: u8) -> Result<(), String> {
        self.bursts += 1;
        let (facts, model) = &mut self.wallets[wallet];
        let keys: Vec<String> = (0..calls).map(|call| format!("burst-{}-{call}", self.bursts)).collect();
        let asked: Vec<Charge> = keys.iter().map(|key| accounts::charge(facts, 1, Some(key), self.now)).collect();
        let outcomes = join_all(asked.iter().map(|charge| self.ledger.charge_key(charge))).await;
        let charged = outcomes.iter().filter(|outcome| matches!(outcome, Ok(ChargeOutcome::Charged))).count();
        // Which calls succeed is random, but their number is not.
        let mut wanted = 0;
        for key in &keys {
            wanted += usize::from(model.debit(1, key, wallet == 1, self.now) == Debit::Charged);
        }
        same(&charged, &wanted)
    }

    async fn hold(&mut self, wallet: usize, amount: u64, hours: u64, fault: Option<Moment>) -> Result<(), String> {
        let (facts, model) = &mut self.wallets[wallet];
        let mut opening = accounts::opening(facts, amount, Some(&format!("hold-{}", self.holds.len())), self.now);
        opening.hold.expires_at = self.now.plus(Duration::from_hours(hours));
        let want = model.hold(amount, wallet == 1, self.now, opening.hold.expires_at);
        let outcome = retried(self.ledger, fault, 0, async || self.ledger.open_hold(&opening).await).await;
        match outcome.map_err(|fault| fault.chain())? {
            OpeningOutcome::Opened(_) => same(&true, &want.is_some())?,
            // After a lost answer the retry finds its own hold.
            OpeningOutcome::Replayed(hold) => {
                same(&(hold.id, hold.amount, fault), &(opening.hold.id, amount, Some(Moment::After)))?;
            }
            OpeningOutcome::Refused(refusal) => {
                same(&(refusal.code, want), &(RefusalCode::InsufficientCredits, None))?;
            }
            other => return Err(format!("{other:?}")),
        }
        if let Some(number) = want {
            self.holds.push((opening.hold.id, wallet, number, amount));
        }
        Ok(())
    }

    fn hold_before(&self, back: usize) -> Option<(HoldId, usize, usize, u64)> {
        self.holds.iter().rev().nth(back).copied()
    }

    async fn resolve(
        &mut self,
        (id, wallet, number, _): (HoldId, usize, usize, u64),
        how: HoldEnd,
        fault: Option<Moment>,
    ) -> Result<(), String> {
        let by = accounts::resolver(self.now);
        let want = self.wallets[wallet].1.resolve(number, how, self.now);
        // The first effect reads the hold, the second ends it.
        let outcome = retried(self.ledger, fault, 1, async || resolve(self.ledger, id, how, &by).await).await;
        let got = match outcome {
            Ok(hold) => {
                same(&hold.end.as_ref().map(|end| end.how), &self.wallets[wallet].1.end_of(number))?;
                if want == Resolved::Replayed { Resolved::Replayed } else { Resolved::Applied }
            }
            Err(fault) => match fault.code {
                Code::HoldResolved => Resolved::Otherwise,
                Code::HoldExpired => Resolved::Expired,
                Code::HoldExceeded => Resolved::Exceeded,
                _ => return Err(fault.chain()),
            },
        };
        same(&got, &want)
    }

    async fn sweep(&mut self) -> Result<(), String> {
        for (id, wallet, number, _) in self.holds.clone() {
            let hold = self.ledger.get_hold(id).await.unwrap().expect("the hold was opened");
            let Some(step) = hold.time_out(self.now) else { continue };
            same(&self.ledger.resolve_hold(&step).await.unwrap(), &ResolutionOutcome::Resolved)?;
            same(&self.ledger.resolve_hold(&step).await.unwrap(), &ResolutionOutcome::Conflict)?;
            self.wallets[wallet].1.time_out(number, self.now);
        }
        Ok(())
    }

    async fn buy(&mut self, number: usize, credits: u64, fault: Option<Moment>) -> Result<(), String> {
        let (payment, now) = (&mut self.payments[number], self.now);
        let purchase = payment.purchase(credits, now);
        let outcome = retried(self.ledger, fault, 0, async || self.ledger.credit_purchase(&purchase).await).await;
        let outcome = outcome.map_err(|fault| fault.chain())?;
        // After a lost answer the retry finds its own purchase.
        let again = fault == Some(Moment::After) && outcome == PurchaseOutcome::CreditedBefore;
        if payment.is_bought() || again {
            same(&outcome, &PurchaseOutcome::CreditedBefore)?;
        } else {
            same(&outcome, &PurchaseOutcome::Credited)?;
        }
        if !payment.is_bought() {
            payment.model_buys(&mut self.wallets[0].1, purchase.lot, credits, now);
        }
        Ok(())
    }

    /// Reports a refund or a dispute. Its effect on the wallet is checked against the model afterwards.
    async fn claw_back(&self, report: &ClawBack, fault: Option<Moment>) -> Result<(), String> {
        let outcome = retried(self.ledger, fault, 0, async || self.ledger.claw_back(report).await).await;
        outcome.map_err(|fault| fault.chain())?;
        same(&self.ledger.claw_back(report).await.unwrap(), &ClawBackOutcome::Unchanged)
    }
}

/// Calls `ask`, with a fault if there is one, and then retries it.
async fn retried<L: Ledger, T>(
    ledger: &L,
    fault: Option<Moment>,
    skip: u32,
    ask: impl AsyncFn() -> Result<T, Fault>,
) -> Result<T, Fault> {
    if let Some(moment) = fault {
        ledger.fail_at(skip, moment);
    }
    let outcome = match ask().await {
        Err(fault) if fault.code == Code::Unavailable => ask().await,
        outcome => outcome,
    };
    ledger.clear_faults();
    outcome
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, want: &T) -> Result<(), String> {
    if got == want { Ok(()) } else { Err(format!("got {got:?}, should be {want:?}")) }
}
