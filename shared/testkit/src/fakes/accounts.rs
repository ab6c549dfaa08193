//! Fakes for organisations, keys, wallets and receipts.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::anomalies::AnomalyKind;
use consigne_core::audit::AuditEntry;
use consigne_core::credits::{
    Checkout, Hold, HoldId, OpenSession, Payment, PaymentId, Receipt, ReceiptId, SessionId, Wallet, WalletId,
};
use consigne_core::deletions::OrgDeletion;
use consigne_core::idempotency::{IdempotentRequest, KeyOwner, WriteOutcome};
use consigne_core::invitations::Invitation;
use consigne_core::keys::{
    ApiKey, Ask, KEYS_AN_HOUR, KEYS_MAX, KeyFacts, KeyGuard, KeyStatus, KeyStep, Pointer, Refusal, issuing_hour,
    too_many_issued, too_many_keys,
};
use consigne_core::orgs::{Member, Organisation};
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChangeKey, FindKey, GetIdempotencyRecord, GetKey, IssueKey, KeepPeppers, ListKeys, Listed, NewKey, PageAsk, Repoint,
};
use consigne_core::{Fault, InvitationId, KeyId, LotId, OrgId, Timestamp, UserId};

use super::anomalies::Mark;
use super::{State, World};

/// Organisations, keys, wallets and receipts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountsState {
    /// Organisations by id.
    pub orgs: BTreeMap<OrgId, Organisation>,
    /// Deleted organisations.
    pub deleted: BTreeMap<OrgId, Organisation>,
    /// Deleted organisations of which `account-close` has something left to end.
    pub deletions: BTreeMap<OrgId, OrgDeletion>,
    /// The founders of organisations that count as theirs.
    pub founders: BTreeMap<OrgId, UserId>,
    /// Members by organisation and person.
    pub members: BTreeMap<(OrgId, UserId), Member>,
    /// Invitations by organisation and id.
    pub invitations: BTreeMap<(OrgId, InvitationId), Invitation>,
    /// Keys by organisation and id.
    pub keys: BTreeMap<(OrgId, KeyId), ApiKey>,
    /// Number of keys issued or rotated by organisation and hour.
    pub keys_issued: BTreeMap<(OrgId, Timestamp), u32>,
    /// Keys by the MAC of their text, and whether the key still needs that pepper.
    pub pointers: BTreeMap<Pointer, (KeyFacts, bool)>,
    /// Wallets.
    pub wallets: BTreeMap<WalletId, Wallet>,
    /// Receipts.
    pub receipts: BTreeMap<ReceiptId, Receipt>,
    /// The audit log, oldest entry first.
    pub audit: Vec<AuditEntry>,
    /// Idempotency records, with their expiry.
    pub idempotency_records: BTreeMap<(KeyOwner, &'static str, String), (IdempotentRequest, Timestamp)>,
    /// Recorded activity.
    pub marks: BTreeSet<Mark>,
    /// Until when an anomaly is not reported again.
    pub quiet: BTreeMap<(OrgId, Option<KeyId>, AnomalyKind), Timestamp>,
    /// Peppers that accept no new pointers.
    pub closed_peppers: BTreeSet<u32>,
    /// Credit grants that were made.
    pub given: BTreeSet<LotId>,
    /// Holds.
    pub holds: BTreeMap<HoldId, Hold>,
    /// Number of refunds by organisation, key and day.
    pub refunds: BTreeMap<(OrgId, KeyId, Day), u32>,
    /// Number of invitations by person and day.
    pub invited: BTreeMap<(UserId, Day), u32>,
    /// Checkout sessions that the payment provider has opened, by idempotency key.
    pub opened: BTreeMap<String, OpenSession>,
    /// What was for sale in each checkout session.
    pub checkouts: BTreeMap<(OrgId, SessionId), Checkout>,
    /// Whether the payment provider refuses to open sessions.
    pub provider_refuses: bool,
    /// Number of places for checkout sessions taken by organisation and hour.
    pub checkouts_opened: BTreeMap<(OrgId, Timestamp), u32>,
    /// Number of places for checkout sessions taken by person and day.
    pub checkouts_of_person: BTreeMap<(UserId, Day), u32>,
    /// Checkout sessions that were paid.
    pub sessions: BTreeSet<(OrgId, SessionId)>,
    /// Payments by id.
    pub payments: BTreeMap<PaymentId, Payment>,
}

impl AccountsState {
    pub(super) fn kept(&self, idempotent: &IdempotentRequest, now: Timestamp) -> Option<WriteOutcome> {
        let place = (idempotent.owner.clone(), idempotent.operation, idempotent.key.key.clone());
        let (before, ends) = self.idempotency_records.get(&place)?;
        if *ends <= now {
            return None;
        }
        let same = before.key.fingerprint == idempotent.key.fingerprint;
        Some(if same { WriteOutcome::Replayed(before.result.clone()) } else { WriteOutcome::KeyReused })
    }

    pub(super) fn keep(&mut self, idempotent: Option<&IdempotentRequest>, now: Timestamp) {
        if let Some(idempotent) = idempotent {
            let place = (idempotent.owner.clone(), idempotent.operation, idempotent.key.key.clone());
            self.idempotency_records.insert(place, (idempotent.clone(), now.plus(idempotent.owner.remembered())));
        }
    }

    /// Requires that an organisation may issue another key in this hour.
    fn may_issue(&self, org: OrgId, now: Timestamp) -> Result<(), Fault> {
        let issued = self.keys_issued.get(&(org, issuing_hour(now))).copied().unwrap_or_default();
        if issued < KEYS_AN_HOUR { Ok(()) } else { Err(too_many_issued(now)) }
    }

    fn count_issued(&mut self, org: OrgId, now: Timestamp) {
        *self.keys_issued.entry((org, issuing_hour(now))).or_default() += 1;
    }

    pub(super) fn forget(&mut self, idempotent: &IdempotentRequest) {
        let place = (idempotent.owner.clone(), idempotent.operation, idempotent.key.key.clone());
        self.idempotency_records.remove(&place);
    }

    /// Creates a person's test wallet at its first use, unless it would refuse the cost. Ignores other wallets.
    pub(super) fn begin_test_wallet(&mut self, id: &WalletId, cost: u64, now: Timestamp) -> Result<(), Refusal> {
        if let (WalletId::Test(user), false) = (id, self.wallets.contains_key(id)) {
            let wallet = Wallet::of_tester(user.clone(), now);
            if let Some(refusal) = wallet.refusal(cost, now) {
                return Err(wallet.refused(refusal, cost));
            }
            self.wallets.insert(id.clone(), wallet);
        }
        Ok(())
    }
}

/// Returns a page of a list.
pub(super) fn page<T: Clone>(all: &[T], ask: &PageAsk) -> Result<Listed<T>, Fault> {
    let start: usize = match &ask.after {
        None => 0,
        Some(text) => text.parse().map_err(|_| Fault::invalid_cursor())?,
    };
    let end = (start + ask.limit as usize).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    Ok(Listed { items: all[start.min(end)..end].to_vec(), next, total: Some(all.len() as u64) })
}

impl GetIdempotencyRecord for World {
    async fn get_idempotency_record(
        &self,
        idempotent: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<WriteOutcome>, Fault> {
        self.effect(|state| state.accounts.kept(idempotent, now))
    }
}

impl IssueKey for World {
    async fn issue_key(&self, new: &NewKey) -> Result<WriteOutcome, Fault> {
        self.action(&new.audit, |state| {
            let (accounts, now) = (&mut state.accounts, new.key.created_at);
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            if accounts.closed_peppers.contains(&new.pointer.pepper) {
                return Ok(WriteOutcome::Conflict);
            }
            accounts.may_issue(new.key.org, now)?;
            let here = |key: &&ApiKey| key.org == new.key.org && key.status != KeyStatus::Deleted;
            if accounts.keys.values().filter(here).count() >= KEYS_MAX as usize {
                return Err(too_many_keys());
            }
            accounts.count_issued(new.key.org, now);
            accounts.keep(new.idempotent.as_ref(), now);
            accounts.mark(new.key.org, None, None, now);
            accounts.keys.insert((new.key.org, new.key.id), new.key.clone());
            accounts.pointers.insert(new.pointer.clone(), (new.key.facts(), true));
            accounts.audit.push(new.audit.clone());
            state.push_event(&new.event);
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl GetKey for World {
    async fn get_key(&self, org: OrgId, key: KeyId) -> Result<Option<ApiKey>, Fault> {
        self.effect(|state| state.accounts.keys.get(&(org, key)).cloned())
    }
}

/// Applies a step if its guard holds. Otherwise writes nothing and returns `false`.
pub(super) fn apply(known: &mut ApiKey, step: &KeyStep) -> bool {
    match step.guard {
        KeyGuard::Revision(seen) if known.revision == seen => {
            let (used, minute, last_used) = (known.used.clone(), known.minute, known.last_used.clone());
            *known = ApiKey { used, minute, last_used, ..step.key.clone() };
        }
        KeyGuard::Status(statuses) if statuses.contains(&known.status) => {
            known.status = step.key.status;
            known.revoked = step.key.revoked.clone().or(known.revoked.take());
            known.revision += 1;
        }
        KeyGuard::Revision(_) | KeyGuard::Status(_) => return false,
    }
    true
}

impl ChangeKey for World {
    async fn change_key(&self, step: &KeyStep) -> Result<WriteOutcome, Fault> {
        self.action(&step.audit, |state| {
            let accounts = &mut state.accounts;
            if let Some(before) =
                step.idempotent.as_ref().and_then(|idempotent| accounts.kept(idempotent, step.audit.at))
            {
                return Ok(before);
            }
            let closed = step.pointer.as_ref().is_some_and(|pointer| accounts.closed_peppers.contains(&pointer.pepper));
            let Some(known) = accounts.keys.get(&(step.key.org, step.key.id)) else {
                return Ok(WriteOutcome::Conflict);
            };
            let mut after = known.clone();
            if closed || !apply(&mut after, step) {
                return Ok(WriteOutcome::Conflict);
            }
            if step.pointer.is_some() {
                accounts.may_issue(step.key.org, step.audit.at)?;
                accounts.count_issued(step.key.org, step.audit.at);
            }
            accounts.keys.insert((step.key.org, step.key.id), after);
            accounts.keep(step.idempotent.as_ref(), step.audit.at);
            if let Some(pointer) = &step.pointer {
                accounts.pointers.insert(pointer.clone(), (step.key.facts(), true));
            }
            accounts.audit.push(step.audit.clone());
            if let Some(event) = &step.event {
                state.push_event(event);
            }
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl ListKeys for World {
    async fn list_keys(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<ApiKey>, Fault> {
        self.effect(|state| {
            let shown =
                state.accounts.keys.values().rev().filter(|key| key.org == org && key.status != KeyStatus::Deleted);
            page(&shown.cloned().collect::<Vec<_>>(), ask)
        })?
    }
}

impl FindKey for World {
    async fn find_key(&self, pointers: &[Pointer]) -> Result<Option<(Pointer, KeyFacts)>, Fault> {
        self.effect(|state| {
            let known = |pointer: &Pointer| state.accounts.pointers.get(pointer).map(|(facts, _)| facts.clone());
            pointers.iter().find_map(|pointer| Some((pointer.clone(), known(pointer)?)))
        })
    }
}

impl Repoint for World {
    async fn repoint(&self, old: &Pointer, new: &Pointer, key: &KeyFacts, _now: Timestamp) -> Result<(), Fault> {
        self.effect(|State { accounts, .. }| {
            if accounts.closed_peppers.contains(&new.pepper) {
                return Err(Fault::unavailable("the pepper was retired meanwhile"));
            }
            if let Some((_, needed)) = accounts.pointers.get_mut(old).filter(|(_, needed)| *needed) {
                *needed = false;
                accounts.pointers.insert(new.clone(), (key.clone(), true));
            }
            Ok(())
        })?
    }
}

impl KeepPeppers for World {
    async fn list_pepper_needs(&self, version: u32, now: Timestamp) -> Result<Vec<ApiKey>, Fault> {
        self.effect(|State { accounts, .. }| {
            let needing = accounts.pointers.iter().filter_map(|(pointer, (facts, needed))| {
                let ask = Ask { generation: facts.generation, scope: None, now };
                let key = accounts.keys.get(&(facts.org, facts.id));
                let key = key.filter(|key| key.status.is_live() && key.accepts_text(&ask));
                key.filter(|_| pointer.pepper == version && *needed).cloned()
            });
            needing.collect()
        })
    }

    async fn record_pepper(&self, version: u32, closed: bool, audit: &AuditEntry) -> Result<(), Fault> {
        self.effect(|State { accounts, .. }| {
            if closed {
                accounts.closed_peppers.insert(version);
            } else {
                accounts.closed_peppers.remove(&version);
            }
            accounts.audit.push(audit.clone());
        })
    }
}
