//! Planted faults: ports that misbehave as a wrong condition of a write would make them. A drill must find each.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use consigne_core::credits::{HoldEnd, HoldId, VoidReason};
use consigne_core::files::Status;
use consigne_core::keys::KeyStatus;

use crate::fakes::State;

/// What a planted fault does around an effect.
type Act = fn(&mut Kept, &str, &mut State);

/// A kind of planted fault: its name, what it does, and how.
struct Kind {
    name: &'static str,
    before: Act,
    after: Act,
}

/// What a planted fault keeps: the state before the effect that runs, and a count.
#[derive(Default)]
struct Kept {
    state: State,
    count: u64,
    released: BTreeMap<HoldId, u64>,
}

/// A planted fault in one world.
pub struct Plant {
    kind: &'static Kind,
    kept: Mutex<Kept>,
}

/// Does nothing.
fn nothing(_: &mut Kept, _: &str, _: &mut State) {}

const KINDS: [Kind; 12] = [
    Kind { name: "charge-without-idempotency", before: forget_receipts, after: recall_receipts },
    Kind { name: "event-dropped", before: nothing, after: drop_event },
    Kind { name: "file-doubled", before: forget_grants, after: nothing },
    Kind { name: "file-lost", before: nothing, after: lose_file },
    Kind { name: "hold-not-released", before: keep_wallets, after: keep_holding },
    Kind { name: "ledger-not-reduced", before: keep_usage, after: restore_usage },
    Kind { name: "mail-lost", before: nothing, after: lose_mail },
    Kind { name: "mail-without-claim", before: forget_claims, after: nothing },
    Kind { name: "purchase-credited-twice", before: forget_payments, after: nothing },
    Kind { name: "refund-twice", before: nothing, after: refund_again },
    Kind { name: "revoke-ignored", before: activate_keys, after: revoke_keys },
    Kind { name: "webhook-forgotten", before: nothing, after: forget_delivery },
];

impl Plant {
    /// Returns the names of all planted faults.
    pub fn names() -> Vec<&'static str> {
        KINDS.iter().map(|kind| kind.name).collect()
    }

    /// Plants the fault of a name.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|kind| kind.name == name).map(|kind| Self { kind, kept: Mutex::default() })
    }

    /// Acts before an effect.
    pub fn before(&self, port: &str, state: &mut State) {
        (self.kind.before)(&mut self.kept(), port, state);
    }

    /// Acts after an effect.
    pub fn after(&self, port: &str, state: &mut State) {
        (self.kind.after)(&mut self.kept(), port, state);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_receipts(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "charge_key" {
        kept.state.accounts.receipts = std::mem::take(&mut state.accounts.receipts);
    }
}

fn recall_receipts(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "charge_key" {
        for (id, receipt) in std::mem::take(&mut kept.state.accounts.receipts) {
            state.accounts.receipts.entry(id).or_insert(receipt);
        }
    }
}

/// Drops every fifth event that was written.
fn drop_event(kept: &mut Kept, _: &str, state: &mut State) {
    if state.outbox.len() > kept.state.outbox.len() {
        kept.count += 1;
        if kept.count.is_multiple_of(5) {
            state.outbox.pop();
        }
    }
    kept.state.outbox.clone_from(&state.outbox);
}

/// Forgets the idempotency keys of granted uploads.
fn forget_grants(_: &mut Kept, port: &str, state: &mut State) {
    if matches!(port, "grant_upload" | "get_idempotency_record") {
        state.accounts.idempotency_records.retain(|(_, operation, _), _| !operation.contains("upload"));
    }
}

/// Loses the object of every fourth file that becomes ready.
fn lose_file(kept: &mut Kept, _: &str, state: &mut State) {
    let ready = state.files.values().filter(|file| file.status == Status::Ready);
    for file in ready.cloned().collect::<Vec<_>>() {
        let place = (file.owner().clone(), file.id());
        if kept.state.files.insert(place, file.clone()).is_none() {
            kept.count += 1;
            if kept.count.is_multiple_of(4) {
                state.objects.remove(file.key.as_str());
            }
        }
    }
}

fn keep_wallets(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "resolve_hold" {
        kept.state.accounts.wallets.clone_from(&state.accounts.wallets);
    }
}

/// Ends holds without a change of their wallets.
fn keep_holding(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "resolve_hold" {
        state.accounts.wallets = std::mem::take(&mut kept.state.accounts.wallets);
    }
}

fn keep_usage(kept: &mut Kept, _: &str, state: &mut State) {
    kept.state.usage.clone_from(&state.usage);
}

fn restore_usage(kept: &mut Kept, _: &str, state: &mut State) {
    for (user, before) in &kept.state.usage {
        let usage = state.usage.entry(user.clone()).or_default();
        if usage.bytes() < before.bytes() {
            *usage = before.clone();
        }
    }
}

fn forget_claims(_: &mut Kept, port: &str, state: &mut State) {
    if port == "claim_mail" {
        state.mail.mails.clear();
    }
}

fn forget_payments(_: &mut Kept, port: &str, state: &mut State) {
    if port == "credit_purchase" {
        state.accounts.payments.clear();
        state.accounts.sessions.clear();
    }
}

/// Refunds a voided hold a second time, by moving the amount from spent credits to the balance.
fn refund_again(kept: &mut Kept, port: &str, state: &mut State) {
    if port != "resolve_hold" {
        return;
    }
    let accounts = &mut state.accounts;
    for hold in accounts.holds.values() {
        let given = hold.end.as_ref().is_some_and(|end| end.how == HoldEnd::Voided(VoidReason::ProviderError));
        if given && kept.released.insert(hold.id, hold.amount).is_none() {
            let Some(wallet) = accounts.wallets.get_mut(&hold.wallet).filter(|wallet| wallet.used >= hold.amount)
            else {
                continue;
            };
            wallet.used -= hold.amount;
            wallet.balance += i64::try_from(hold.amount).unwrap_or(0);
        }
    }
}

/// Lets revoked keys pass for active ones where they are verified.
fn activate_keys(kept: &mut Kept, port: &str, state: &mut State) {
    if matches!(port, "charge_key" | "open_hold" | "read_key_snapshot") {
        for (place, key) in state.accounts.keys.iter_mut().filter(|(_, key)| key.status == KeyStatus::Revoked) {
            key.status = KeyStatus::Active;
            kept.state.accounts.keys.insert(*place, key.clone());
        }
    }
}

fn revoke_keys(kept: &mut Kept, _: &str, state: &mut State) {
    for place in std::mem::take(&mut kept.state.accounts.keys).into_keys() {
        if let Some(key) = state.accounts.keys.get_mut(&place) {
            key.status = KeyStatus::Revoked;
        }
    }
}

/// Loses every third mail that was accepted.
fn lose_mail(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "send_mail" {
        kept.count += 1;
        if kept.count.is_multiple_of(3) {
            state.mail.sent.pop();
        }
    }
}

/// Forgets the first delivery that was recorded, and every fifth.
fn forget_delivery(kept: &mut Kept, port: &str, state: &mut State) {
    if port == "record_delivery" {
        kept.count += 1;
        if kept.count % 5 == 1 {
            let known = &kept.state.hooks.deliveries;
            let fresh = state.hooks.deliveries.keys().find(|place| !known.contains_key(*place)).copied();
            fresh.and_then(|place| state.hooks.deliveries.remove(&place));
        }
        kept.state.hooks.deliveries.clone_from(&state.hooks.deliveries);
    }
}
