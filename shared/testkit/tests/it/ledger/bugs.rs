//! Ledgers with one bug each, of kinds that happen in practice. The search must find every one.

use std::time::Duration;

use consigne_core::credits::{
    Charge, ChargeOutcome, ClawBack, ClawBackCause, ClawBackOutcome, CreditGrant, CreditGrantOutcome, Hold, HoldId,
    Opening, OpeningOutcome, Purchase, PurchaseOutcome, ReceiptId, Resolution, ResolutionOutcome, Wallet, WalletId,
};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::{
    ChargeKey, ClawBackCredits, CreateOrg, CreditPurchase, GetHold, GetWallet, GrantCredits, IssueKey, NewKey, NewOrg,
    OpenHold, ResolveHold,
};
use consigne_core::{Fault, OrgId, Timestamp};
use consigne_testkit::fakes::{AccountsState, Moment, World};

use super::Ledger;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A retry is charged again.
    ChargesRetries,
    /// Expired credits can still be spent for an hour.
    SpendsTheExpired,
    /// A repeated grant adds its credits twice.
    GrantsTwice,
    /// Debits are taken from the newest lot.
    TakesFromTheWrongLot,
    /// Held credits can be spent as well.
    HoldsNothing,
    /// Every attempt to release a hold returns its credits.
    ReleasesTwice,
    /// Credits of an expired lot that are reserved for holds can be spent by others.
    CarriesOver,
    /// A repeated session event credits its purchase twice.
    CreditsTwice,
    /// The total of a refund is added to the total that was reported before.
    AddsRefundsUp,
    /// A refund that is reported before its purchase is ignored.
    ForgetsEarlyRefunds,
    /// A refund that failed gives nothing back.
    KeepsFailedRefunds,
    /// An alert is sent for every debit below the threshold.
    TellsAgain,
}

impl Bug {
    pub const ALL: [Self; 12] = [
        Self::ChargesRetries,
        Self::SpendsTheExpired,
        Self::GrantsTwice,
        Self::TakesFromTheWrongLot,
        Self::HoldsNothing,
        Self::ReleasesTwice,
        Self::CarriesOver,
        Self::CreditsTwice,
        Self::AddsRefundsUp,
        Self::ForgetsEarlyRefunds,
        Self::KeepsFailedRefunds,
        Self::TellsAgain,
    ];
}

/// A world with a bug.
pub struct Buggy {
    pub world: World,
    pub bug: Bug,
}

impl Buggy {
    fn ask<T>(&self, ask: impl FnOnce(&AccountsState) -> T) -> T {
        let mut answer = None;
        self.world.change(|state| answer = Some(ask(&state.accounts)));
        answer.expect("the state was read")
    }

    fn change_wallet(&self, id: &WalletId, change: impl FnOnce(&mut Wallet)) {
        self.world.change(|state| {
            if let Some(wallet) = state.accounts.wallets.get_mut(id) {
                change(wallet);
            }
        });
    }
}

impl Ledger for Buggy {
    fn fail_at(&self, skip: u32, moment: Moment) {
        Ledger::fail_at(&self.world, skip, moment);
    }

    fn clear_faults(&self) {
        self.world.clear_faults();
    }

    fn alerts(&self, org: OrgId) -> Option<Vec<u8>> {
        self.world.alerts(org)
    }
}

impl CreateOrg for Buggy {
    async fn create_org(&self, org: &NewOrg) -> Result<WriteOutcome, Fault> {
        self.world.create_org(org).await
    }
}

impl IssueKey for Buggy {
    async fn issue_key(&self, key: &NewKey) -> Result<WriteOutcome, Fault> {
        self.world.issue_key(key).await
    }
}

impl GetWallet for Buggy {
    async fn get_wallet(&self, wallet: &WalletId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        self.world.get_wallet(wallet, now).await
    }
}

impl ChargeKey for Buggy {
    async fn charge_key(&self, charge: &Charge) -> Result<ChargeOutcome, Fault> {
        let mut charge = charge.clone();
        match self.bug {
            Bug::ChargesRetries => {
                let known = self.ask(|accounts| accounts.receipts.contains_key(&charge.receipt.id));
                if known {
                    charge.receipt.id = ReceiptId::fresh(charge.key.org, charge.ask.now);
                }
            }
            Bug::SpendsTheExpired => charge.ask.now = charge.ask.now.minus(Duration::from_hours(1)),
            _ => {}
        }
        let before = self.ask(|accounts| accounts.wallets.get(&charge.wallet()).map(|wallet| wallet.alert));
        let outcome = self.world.charge_key(&charge).await?;
        if matches!((self.bug, &outcome), (Bug::TakesFromTheWrongLot, ChargeOutcome::Charged)) {
            self.change_wallet(&charge.wallet(), |wallet| {
                let spent = wallet.used - wallet.late - wallet.attributed;
                let last = wallet.lots.values_mut().rev().find(|bucket| bucket.left >= spent);
                if let Some(bucket) = last {
                    bucket.left -= spent;
                    wallet.attributed += spent;
                }
            });
        }
        if let (Bug::TellsAgain, Some(before)) = (self.bug, before) {
            self.change_wallet(&charge.wallet(), |wallet| wallet.alert = before);
        }
        Ok(outcome)
    }
}

impl GrantCredits for Buggy {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        if self.bug == Bug::GrantsTwice {
            self.world.change(|state| {
                state.accounts.given.remove(&grant.id);
            });
        }
        self.world.grant_credits(grant).await
    }
}

impl OpenHold for Buggy {
    async fn open_hold(&self, opening: &Opening) -> Result<OpeningOutcome, Fault> {
        let outcome = self.world.open_hold(opening).await?;
        if matches!((self.bug, &outcome), (Bug::HoldsNothing, OpeningOutcome::Opened(_))) {
            self.change_wallet(&opening.hold.wallet, |wallet| {
                wallet.balance = wallet.balance.saturating_add_unsigned(opening.hold.amount);
            });
        }
        Ok(outcome)
    }
}

impl GetHold for Buggy {
    async fn get_hold(&self, hold: HoldId) -> Result<Option<Hold>, Fault> {
        self.world.get_hold(hold).await
    }
}

impl ResolveHold for Buggy {
    async fn resolve_hold(&self, step: &Resolution) -> Result<ResolutionOutcome, Fault> {
        let expired = |wallet: &Wallet| wallet.with_lots_expired(step.now).expired;
        let before = self.ask(|accounts| accounts.wallets.get(&step.hold.wallet).map(expired));
        let outcome = self.world.resolve_hold(step).await?;
        match (self.bug, outcome) {
            (Bug::ReleasesTwice, ResolutionOutcome::Conflict) => {
                self.change_wallet(&step.hold.wallet, |wallet| {
                    let freed = step.hold.amount - step.used;
                    wallet.balance = wallet.balance.saturating_add_unsigned(freed);
                });
                return Ok(ResolutionOutcome::Resolved);
            }
            (Bug::CarriesOver, ResolutionOutcome::Resolved) => self.change_wallet(&step.hold.wallet, |wallet| {
                let lost = wallet.expired - before.unwrap_or(wallet.expired);
                wallet.expired -= lost;
                wallet.balance = wallet.balance.saturating_add_unsigned(lost);
            }),
            _ => {}
        }
        Ok(outcome)
    }
}

impl CreditPurchase for Buggy {
    async fn credit_purchase(&self, purchase: &Purchase) -> Result<PurchaseOutcome, Fault> {
        self.world.change(|state| match self.bug {
            Bug::CreditsTwice => {
                state.accounts.sessions.remove(&(purchase.org, purchase.session.clone()));
                state.accounts.payments.remove(&purchase.payment);
            }
            Bug::ForgetsEarlyRefunds => state.accounts.payments.retain(|_, payment| payment.sale.is_some()),
            _ => {}
        });
        self.world.credit_purchase(purchase).await
    }
}

impl ClawBackCredits for Buggy {
    async fn claw_back(&self, report: &ClawBack) -> Result<ClawBackOutcome, Fault> {
        let mut report = report.clone();
        if let (Bug::AddsRefundsUp, ClawBackCause::Refund { refunded_cents, .. }) = (self.bug, &mut report.cause) {
            let known = self.ask(|accounts| accounts.payments.get(&report.payment).map(|known| known.refunded_cents));
            *refunded_cents += known.unwrap_or(0);
        }
        if let (Bug::KeepsFailedRefunds, ClawBackCause::RefundFailed { .. }) = (self.bug, &report.cause) {
            return Ok(ClawBackOutcome::Unchanged);
        }
        self.world.claw_back(&report).await
    }
}
