//! Fakes for wallets, charges and receipts.

use consigne_core::credits::{
    Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, KeySnapshot, Outcome, OutcomeKept, Receipt, ReceiptId,
    Wallet, WalletId, WalletRefusal,
};
use consigne_core::events::Event;
use consigne_core::keys::{Ask, KeyFacts, Limiter, Refusal, RefusalCode};
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChargeKey, GetWallet, GrantCredits, KeepOutcome, ListReceipts, Listed, PageAsk, ReadKeySnapshot, ReceiptFilter,
};
use consigne_core::{Fault, OrgId, Timestamp};

use super::accounts::page;
use super::{State, World};

impl ReadKeySnapshot for World {
    async fn read_key_snapshot(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<KeySnapshot>, Fault> {
        self.effect(|State { accounts, .. }| {
            let key = accounts.keys.get(&(facts.org, facts.id))?.clone();
            let deleted = accounts.deleted.contains_key(&facts.org);
            let stopped = deleted || accounts.orgs.get(&facts.org).is_some_and(|org| org.suspended);
            let (payer, suspended) = match (accounts.spender_has_left(facts) && !stopped, accounts.new_payer(facts.org))
            {
                (true, Some(new_payer)) => (WalletId::Test(new_payer), false),
                (true, None) => (facts.wallet(), true),
                (false, _) => (facts.wallet(), stopped),
            };
            let wallet = match (accounts.wallets.get(&payer), payer) {
                (Some(wallet), _) => wallet.with_lots_expired(now),
                (None, WalletId::Test(user)) => Wallet::of_tester(user, now),
                (None, WalletId::Organisation(org)) => Wallet::of_organisation(org, now),
            };
            Some(KeySnapshot { key, wallet, suspended })
        })
    }
}

/// A debit of a key's wallet.
pub(super) struct Asked<'a> {
    pub(super) key: &'a KeyFacts,
    pub(super) ask: &'a Ask,
    pub(super) ip: Option<&'a str>,
    pub(super) country: Option<&'a str>,
    pub(super) amount: u64,
}

/// The outcome of a debit.
pub(super) enum DebitOutcome {
    Applied { expiry_epoch: u32 },
    Refused(Refusal),
    PayerChanged,
}

impl State {
    /// Checks a key and debits its wallet, or returns why it was refused.
    pub(super) fn take(&mut self, asked: &Asked<'_>, lower: impl FnOnce(&mut Wallet)) -> DebitOutcome {
        let (place, now) = ((asked.key.org, asked.key.id), asked.ask.now);
        let Some(key) = self.accounts.keys.get(&place).cloned() else {
            return DebitOutcome::Refused(Refusal::bare(RefusalCode::NotFound));
        };
        if let Some(refusal) = key.refusal(asked.ask) {
            return DebitOutcome::Refused(refusal);
        }
        if key.spender != asked.key.spender {
            return DebitOutcome::PayerChanged;
        }
        let suspended = self.accounts.orgs.get(&asked.key.org).is_none_or(|org| org.suspended);
        if key.spender.is_some() && suspended {
            return DebitOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
        }
        if self.accounts.spender_has_left(asked.key) {
            let Some(new_payer) = self.accounts.new_payer(asked.key.org) else {
                return DebitOutcome::Refused(Refusal::of(RefusalCode::Suspended, Limiter::Organisation));
            };
            if let Some(key) = self.accounts.keys.get_mut(&(asked.key.org, asked.key.id)) {
                (key.spender, key.revision) = (Some(new_payer), key.revision + 1);
            }
            return DebitOutcome::PayerChanged;
        }
        let id = asked.key.wallet();
        if let Err(refusal) = self.accounts.begin_test_wallet(&id, asked.amount, now) {
            return DebitOutcome::Refused(refusal);
        }
        if self.accounts.wallets.get(&id).is_some_and(|wallet| wallet.open) {
            self.expire_lots_of(&id, now);
        }
        let Some(wallet) = self.accounts.wallets.get_mut(&id) else {
            return DebitOutcome::Refused(Refusal::bare(RefusalCode::NotFound));
        };
        if let Some(refusal) = wallet.refusal(asked.amount, now) {
            assert_ne!(refusal, WalletRefusal::Stale, "the wallet was just settled");
            return DebitOutcome::Refused(wallet.refused(refusal, asked.amount));
        }
        lower(wallet);
        let (expiry_epoch, alert) = (wallet.expiry_epoch, wallet.alert(now));
        self.publish_alert(alert);
        if let Some(key) = self.accounts.keys.get_mut(&place) {
            key.count_call(asked.ip, now);
        }
        self.accounts.mark(asked.key.org, Some(asked.key.id), asked.country, now);
        DebitOutcome::Applied { expiry_epoch }
    }

    /// Expires the lots of a wallet that are past their expiry.
    pub(super) fn expire_lots_of(&mut self, id: &WalletId, now: Timestamp) {
        let Some(wallet) = self.accounts.wallets.get_mut(id).filter(|wallet| wallet.is_stale(now)) else { return };
        *wallet = wallet.with_lots_expired(now);
        let alert = wallet.alert(now);
        self.publish_alert(alert);
    }

    /// Adds an event to the outbox, if there is one.
    pub(super) fn publish_alert(&mut self, alert: Option<(u8, Event)>) {
        if let Some((_, event)) = alert {
            self.push_event(&event);
        }
    }
}

impl ChargeKey for World {
    async fn charge_key(&self, charge: &Charge) -> Result<ChargeOutcome, Fault> {
        self.effect(|state| {
            let receipt = &charge.receipt;
            if let Some(before) = state.accounts.receipts.get(&receipt.id) {
                let same = before.fingerprint == receipt.fingerprint && before.key == receipt.key;
                return if same { ChargeOutcome::Replayed(Box::new(before.clone())) } else { ChargeOutcome::KeyReused };
            }
            let ip = receipt.call.ip.as_deref();
            let country = receipt.call.country.as_deref();
            let asked = Asked { key: &charge.key, ask: &charge.ask, ip, country, amount: receipt.credits };
            match state.take(&asked, |wallet| wallet.debit(receipt.credits)) {
                DebitOutcome::Refused(refusal) => ChargeOutcome::Refused(refusal),
                DebitOutcome::PayerChanged => ChargeOutcome::PayerChanged,
                DebitOutcome::Applied { .. } => {
                    state.accounts.receipts.insert(receipt.id, receipt.clone());
                    ChargeOutcome::Charged
                }
            }
        })
    }
}

impl GetWallet for World {
    async fn get_wallet(&self, wallet: &WalletId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        self.effect(|state| match (state.accounts.wallets.get(wallet), wallet) {
            (Some(wallet), _) => Some(wallet.with_lots_expired(now)),
            (None, WalletId::Test(user)) => Some(Wallet::of_tester(user.clone(), now)),
            (None, WalletId::Organisation(_)) => None,
        })
    }
}

impl GrantCredits for World {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        self.effect(|state| {
            let id = WalletId::Organisation(grant.org);
            if !state.accounts.wallets.contains_key(&id) || state.accounts.deleted.contains_key(&grant.org) {
                return CreditGrantOutcome::NoSuchOrganisation;
            }
            if !state.accounts.given.insert(grant.id) {
                return CreditGrantOutcome::GrantedBefore;
            }
            state.expire_lots_of(&id, grant.now);
            let alert = state.accounts.wallets.get_mut(&id).and_then(|wallet| {
                *wallet = wallet.with_lots_expired(grant.now);
                wallet.add(grant.id, grant.kind, grant.amount, grant.expires_at);
                wallet.alert(grant.now)
            });
            state.accounts.audit.push(grant.audit.clone());
            state.push_event(&grant.event);
            state.publish_alert(alert);
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
            let receipts = &mut state.accounts.receipts;
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
            let all = state.accounts.receipts.values().filter(|receipt| receipt.id.org() == org);
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
