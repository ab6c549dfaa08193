//! Wallets, charges and receipts in memory.

use consigne_core::credits::{
    Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, Outcome, OutcomeKept, Receipt, ReceiptId, Standing, Wallet,
    WalletId, WalletRefusal,
};
use consigne_core::keys::{KeyFacts, Limiter, Refusal, RefusalCode};
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChargeKey, GetWallet, GrantCredits, KeepOutcome, ListReceipts, Listed, PageAsk, ReadStanding, ReceiptFilter,
};
use consigne_core::{Fault, OrgId, Timestamp};

use super::desk::page;
use super::{State, World};

impl ReadStanding for World {
    async fn read_standing(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<Standing>, Fault> {
        self.effect(|State { desk, .. }| {
            let key = desk.keys.get(&(facts.org, facts.id))?.clone();
            let payer = KeyFacts { spender: desk.payer(facts), ..facts.clone() }.wallet();
            let wallet = match (desk.wallets.get(&payer), payer) {
                (Some(wallet), _) => wallet.settled(now),
                (None, WalletId::Test(user)) => Wallet::of_tester(user, now),
                (None, WalletId::Organisation(org)) => Wallet::of_organisation(org, now),
            };
            Some(Standing { key, wallet, suspended: desk.orgs.get(&facts.org).is_some_and(|org| org.suspended) })
        })
    }
}

impl ChargeKey for World {
    async fn charge_key(&self, charge: &Charge) -> Result<ChargeOutcome, Fault> {
        self.effect(|State { desk, .. }| {
            let (receipt, ask) = (&charge.receipt, &charge.ask);
            if let Some(before) = desk.receipts.get(&receipt.id) {
                let same = before.fingerprint == receipt.fingerprint && before.key == receipt.key;
                return if same { ChargeOutcome::Replayed(Box::new(before.clone())) } else { ChargeOutcome::Mismatch };
            }
            let Some(key) = desk.keys.get(&(charge.key.org, charge.key.id)).cloned() else {
                return ChargeOutcome::Refused(Refusal::bare(RefusalCode::NotFound));
            };
            if let Some(refusal) = key.refusal(ask) {
                return ChargeOutcome::Refused(refusal);
            }
            if key.spender != charge.key.spender {
                return ChargeOutcome::Moved;
            }
            let suspended = desk.orgs.get(&charge.key.org).is_none_or(|org| org.suspended);
            if key.spender.is_some() && suspended {
                return ChargeOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
            }
            if let Some(payer) = desk.payer(&charge.key).filter(|payer| Some(payer) != key.spender.as_ref()) {
                if let Some(key) = desk.keys.get_mut(&(charge.key.org, charge.key.id)) {
                    (key.spender, key.revision) = (Some(payer), key.revision + 1);
                }
                return ChargeOutcome::Moved;
            }
            let wallet = match desk.wallet_to_charge(&charge.wallet(), receipt.credits, ask.now) {
                Ok(Some(wallet)) => wallet,
                Ok(None) => return ChargeOutcome::Refused(Refusal::bare(RefusalCode::NotFound)),
                Err(refusal) => return ChargeOutcome::Refused(refusal),
            };
            match wallet.refusal(receipt.credits, ask.now) {
                Some(refusal) => {
                    assert_ne!(refusal, WalletRefusal::Stale, "the wallet was just settled");
                    return ChargeOutcome::Refused(wallet.refused(refusal, receipt.credits));
                }
                None => wallet.debit(receipt.credits),
            }
            if let Some(key) = desk.keys.get_mut(&(charge.key.org, charge.key.id)) {
                key.count_call(receipt.call.ip.as_deref(), ask.now);
            }
            desk.receipts.insert(receipt.id, receipt.clone());
            ChargeOutcome::Charged
        })
    }
}

impl GetWallet for World {
    async fn get_wallet(&self, wallet: &WalletId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        self.effect(|state| match (state.desk.wallets.get(wallet), wallet) {
            (Some(wallet), _) => Some(wallet.settled(now)),
            (None, WalletId::Test(user)) => Some(Wallet::of_tester(user.clone(), now)),
            (None, WalletId::Organisation(_)) => None,
        })
    }
}

impl GrantCredits for World {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        self.effect(|State { desk, .. }| {
            let Some(wallet) = desk.wallets.get_mut(&WalletId::Organisation(grant.org)) else {
                return CreditGrantOutcome::NoSuchOrganisation;
            };
            if !desk.given.insert(grant.id) {
                return CreditGrantOutcome::GrantedBefore;
            }
            if wallet.is_stale(grant.now) {
                *wallet = wallet.settled(grant.now);
            }
            wallet.add(grant.id, grant.kind, grant.amount, grant.expires_at);
            desk.audit.push(grant.audit.clone());
            CreditGrantOutcome::Granted
        })
    }
}

impl KeepOutcome for World {
    async fn keep_outcome(
        &self,
        receipt: ReceiptId,
        caller: &str,
        outcome: &Outcome,
        _now: Timestamp,
    ) -> Result<OutcomeKept, Fault> {
        self.effect(|state| {
            let receipts = &mut state.desk.receipts;
            let Some(receipt) = receipts.get_mut(&receipt).filter(|receipt| receipt.caller == caller) else {
                return OutcomeKept::Unknown;
            };
            let kept = receipt.outcome.get_or_insert_with(|| outcome.clone());
            if kept == outcome { OutcomeKept::Kept } else { OutcomeKept::Other }
        })
    }
}

impl ListReceipts for World {
    async fn list_receipts(&self, org: OrgId, filter: ReceiptFilter, ask: &PageAsk) -> Result<Listed<Receipt>, Fault> {
        self.effect(|state| {
            let all = state.desk.receipts.values().filter(|receipt| receipt.id.org() == org);
            let mut shown: Vec<Receipt> = all
                .filter(|receipt| filter.key.is_none_or(|key| receipt.key == key))
                .filter(|receipt| filter.day.is_none_or(|day| Day::of(receipt.at) == day))
                .cloned()
                .collect();
            shown.sort_by_key(|receipt| std::cmp::Reverse((receipt.at, receipt.id.tail())));
            page(&shown, ask)
        })?
    }
}
