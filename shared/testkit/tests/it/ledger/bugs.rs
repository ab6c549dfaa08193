//! Ledgers with a bug in them, each of a kind that others have shipped: the search must find every one.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::Timestamp;
use consigne_core::credits::{Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, ReceiptId, Wallet, WalletId};
use consigne_core::idempotency::Written;
use consigne_core::ports::{ChargeKey, CreateOrg, GetWallet, GrantCredits, IssueKey, NewKey, NewOrg};
use consigne_testkit::fakes::{Moment, World};

use super::Ledger;

/// What is wrong.
#[derive(Clone, Copy, Debug)]
pub enum Bug {
    /// A retry is charged again.
    ChargesRetries,
    /// What has expired can still be spent for an hour.
    SpendsTheExpired,
    /// A grant made twice is given twice.
    GrantsTwice,
    /// Debits are taken from whichever lot came last.
    TakesFromTheWrongLot,
}

impl Bug {
    pub const ALL: [Self; 4] =
        [Self::ChargesRetries, Self::SpendsTheExpired, Self::GrantsTwice, Self::TakesFromTheWrongLot];
}

/// A world with a bug in front.
pub struct Buggy {
    pub world: World,
    pub bug: Bug,
}

impl Ledger for Buggy {
    fn fail_next(&self, moment: Moment) {
        self.world.fail_next(moment);
    }
}

impl CreateOrg for Buggy {
    async fn create_org(&self, org: &NewOrg) -> Result<Written, Fault> {
        self.world.create_org(org).await
    }
}

impl IssueKey for Buggy {
    async fn issue_key(&self, key: &NewKey) -> Result<Written, Fault> {
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
                let known = self.world.state().desk.receipts.contains_key(&charge.receipt.id);
                if known {
                    charge.receipt.id = ReceiptId::fresh(charge.key.org, charge.ask.now);
                }
            }
            Bug::SpendsTheExpired => charge.ask.now = charge.ask.now.minus(Duration::from_hours(1)),
            Bug::GrantsTwice | Bug::TakesFromTheWrongLot => {}
        }
        let outcome = self.world.charge_key(&charge).await?;
        if matches!((self.bug, &outcome), (Bug::TakesFromTheWrongLot, ChargeOutcome::Charged)) {
            self.world.change(|state| {
                let wallet = state.desk.wallets.get_mut(&charge.wallet()).expect("it was charged");
                let spent = wallet.used - wallet.attributed;
                let last = wallet.buckets.values_mut().rev().find(|bucket| bucket.left >= spent);
                if let Some(bucket) = last {
                    bucket.left -= spent;
                    wallet.attributed = wallet.used;
                }
            });
        }
        Ok(outcome)
    }
}

impl GrantCredits for Buggy {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        if matches!(self.bug, Bug::GrantsTwice) {
            self.world.change(|state| {
                state.desk.given.remove(&grant.id);
            });
        }
        self.world.grant_credits(grant).await
    }
}
