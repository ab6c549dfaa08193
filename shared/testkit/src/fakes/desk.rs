//! The key desk in memory.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::audit::AuditEntry;
use consigne_core::credits::{
    Charge, ChargeOutcome, CreditGrant, CreditGrantOutcome, Outcome, OutcomeKept, Receipt, ReceiptId, Standing, Wallet,
    WalletId, WalletRefusal,
};
use consigne_core::idempotency::{Once, REMEMBERED, Written};
use consigne_core::keys::{ApiKey, Ask, KeyFacts, KeyStatus, KeyStep, Limiter, Pointer, Refusal, RefusalCode};
use consigne_core::orgs::{Member, Organisation};
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, FindKey, GetKey, GetMember, GetOrg, GetWallet, GrantCredits, IssueKey,
    KeepOutcome, KeepPeppers, ListAudit, ListKeys, ListMembers, ListOrgs, ListReceipts, Listed, NewKey, NewOrg,
    PageAsk, PutMember, ReadStanding, Recall, ReceiptFilter, Repoint, SuspendOrg,
};
use consigne_core::{BucketId, Fault, KeyId, OrgId, Timestamp, UserId};

use super::{State, World};

/// Organisations, keys, wallets and receipts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desk {
    /// Organisations by id.
    pub orgs: BTreeMap<OrgId, Organisation>,
    /// Members by organisation and person.
    pub members: BTreeMap<(OrgId, UserId), Member>,
    /// Keys by organisation and id.
    pub keys: BTreeMap<(OrgId, KeyId), ApiKey>,
    /// Where texts lead, and whether the key needs that pepper.
    pub pointers: BTreeMap<Pointer, (KeyFacts, bool)>,
    /// Wallets.
    pub wallets: BTreeMap<WalletId, Wallet>,
    /// Receipts.
    pub receipts: BTreeMap<ReceiptId, Receipt>,
    /// The audit trail, oldest first.
    pub audit: Vec<AuditEntry>,
    /// Promises kept, with when they run out.
    pub promises: BTreeMap<(UserId, &'static str, String), (Once, Timestamp)>,
    /// Peppers that take no new pointers.
    pub closed_peppers: BTreeSet<u32>,
    /// Credit grants made.
    pub given: BTreeSet<BucketId>,
}

impl Desk {
    fn kept(&self, once: &Once, now: Timestamp) -> Option<Written> {
        let place = (once.caller.clone(), once.operation, once.key.key.clone());
        let (before, ends) = self.promises.get(&place)?;
        if *ends <= now {
            return None;
        }
        let same = before.key.fingerprint == once.key.fingerprint;
        Some(if same { Written::Before(before.result.clone()) } else { Written::Mismatch })
    }

    fn keep(&mut self, once: Option<&Once>, now: Timestamp) {
        if let Some(once) = once {
            let place = (once.caller.clone(), once.operation, once.key.key.clone());
            self.promises.insert(place, (once.clone(), now.plus(REMEMBERED)));
        }
    }

    /// Gives a wallet to charge: settled if it must be, made if it is a tester's first and will do.
    fn wallet_to_charge(&mut self, id: &WalletId, cost: u64, now: Timestamp) -> Result<Option<&mut Wallet>, Refusal> {
        if let (WalletId::Test(user), false) = (id, self.wallets.contains_key(id)) {
            let wallet = Wallet::of_tester(user.clone(), now);
            if let Some(refusal) = wallet.refusal(cost, now) {
                return Err(wallet.refused(refusal, cost));
            }
            self.wallets.insert(id.clone(), wallet);
        }
        let wallet = self.wallets.get_mut(id);
        Ok(wallet.map(|wallet| {
            if wallet.open && wallet.is_stale(now) {
                *wallet = wallet.settled(now);
            }
            wallet
        }))
    }
}

/// Cuts a page out of everything.
fn page<T: Clone>(all: &[T], ask: &PageAsk) -> Result<Listed<T>, Fault> {
    let start: usize = match &ask.after {
        None => 0,
        Some(text) => text.parse().map_err(|_| Fault::invalid_cursor())?,
    };
    let end = (start + ask.limit as usize).min(all.len());
    let next = (end < all.len()).then(|| end.to_string());
    Ok(Listed { items: all[start.min(end)..end].to_vec(), next, total: Some(all.len() as u64) })
}

impl Recall for World {
    async fn recall(&self, once: &Once, now: Timestamp) -> Result<Option<Written>, Fault> {
        self.effect(|state| state.desk.kept(once, now))
    }
}

impl CreateOrg for World {
    async fn create_org(&self, new: &NewOrg) -> Result<Written, Fault> {
        self.effect(|State { desk, .. }| {
            let now = new.org.created_at;
            if let Some(before) = new.once.as_ref().and_then(|once| desk.kept(once, now)) {
                return before;
            }
            desk.keep(new.once.as_ref(), now);
            desk.orgs.insert(new.org.id, new.org.clone());
            desk.members.insert((new.org.id, new.owner.user.clone()), new.owner.clone());
            desk.wallets.insert(new.wallet.id.clone(), new.wallet.clone());
            desk.audit.push(new.audit.clone());
            Written::Now
        })
    }
}

impl GetOrg for World {
    async fn get_org(&self, org: OrgId) -> Result<Option<Organisation>, Fault> {
        self.effect(|state| state.desk.orgs.get(&org).cloned())
    }
}

impl SuspendOrg for World {
    async fn suspend_org(&self, org: OrgId, suspended: bool, audit: &AuditEntry) -> Result<bool, Fault> {
        self.effect(|State { desk, .. }| {
            let Some(known) = desk.orgs.get_mut(&org) else { return false };
            known.suspended = suspended;
            if let Some(wallet) = desk.wallets.get_mut(&WalletId::Organisation(org)) {
                wallet.open = !suspended;
            }
            desk.audit.push(audit.clone());
            true
        })
    }
}

impl GetMember for World {
    async fn get_member(&self, org: OrgId, user: &UserId) -> Result<Option<Member>, Fault> {
        self.effect(|state| state.desk.members.get(&(org, user.clone())).cloned())
    }
}

impl PutMember for World {
    async fn put_member(&self, member: &Member, audit: &AuditEntry) -> Result<(), Fault> {
        self.effect(|State { desk, .. }| {
            desk.members.insert((member.org, member.user.clone()), member.clone());
            desk.audit.push(audit.clone());
        })
    }
}

impl ListMembers for World {
    async fn list_members(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<Member>, Fault> {
        self.effect(|state| {
            let members: Vec<Member> =
                state.desk.members.values().filter(|member| member.org == org).cloned().collect();
            page(&members, ask)
        })?
    }
}

impl ListOrgs for World {
    async fn list_orgs(&self, user: &UserId, ask: &PageAsk) -> Result<Listed<(Organisation, Member)>, Fault> {
        self.effect(|State { desk, .. }| {
            let places = desk.members.values().filter(|member| member.user == *user);
            let places: Vec<_> = places.map(|member| (desk.orgs[&member.org].clone(), member.clone())).collect();
            page(&places, ask)
        })?
    }
}

impl IssueKey for World {
    async fn issue_key(&self, new: &NewKey) -> Result<Written, Fault> {
        self.effect(|state| {
            let (desk, now) = (&mut state.desk, new.key.created_at);
            if let Some(before) = new.once.as_ref().and_then(|once| desk.kept(once, now)) {
                return before;
            }
            if desk.closed_peppers.contains(&new.pointer.pepper) {
                return Written::Moved;
            }
            desk.keep(new.once.as_ref(), now);
            desk.keys.insert((new.key.org, new.key.id), new.key.clone());
            desk.pointers.insert(new.pointer.clone(), (new.key.facts(), true));
            desk.audit.push(new.audit.clone());
            state.push_event(&new.event);
            Written::Now
        })
    }
}

impl GetKey for World {
    async fn get_key(&self, org: OrgId, key: KeyId) -> Result<Option<ApiKey>, Fault> {
        self.effect(|state| state.desk.keys.get(&(org, key)).cloned())
    }
}

impl ChangeKey for World {
    async fn change_key(&self, step: &KeyStep) -> Result<Written, Fault> {
        self.effect(|state| {
            let desk = &mut state.desk;
            if let Some(before) = step.once.as_ref().and_then(|once| desk.kept(once, step.audit.at)) {
                return before;
            }
            let closed = step.pointer.as_ref().is_some_and(|pointer| desk.closed_peppers.contains(&pointer.pepper));
            let Some(known) = desk.keys.get_mut(&(step.key.org, step.key.id)) else { return Written::Moved };
            if known.revision != step.seen || closed {
                return Written::Moved;
            }
            let (used, last_used) = (known.used.clone(), known.last_used.clone());
            *known = ApiKey { used, last_used, ..step.key.clone() };
            desk.keep(step.once.as_ref(), step.audit.at);
            if let Some(pointer) = &step.pointer {
                desk.pointers.insert(pointer.clone(), (step.key.facts(), true));
            }
            desk.audit.push(step.audit.clone());
            if let Some(event) = &step.event {
                state.push_event(event);
            }
            Written::Now
        })
    }
}

impl ListKeys for World {
    async fn list_keys(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<ApiKey>, Fault> {
        self.effect(|state| {
            let shown = state.desk.keys.values().rev().filter(|key| key.org == org && key.status != KeyStatus::Deleted);
            page(&shown.cloned().collect::<Vec<_>>(), ask)
        })?
    }
}

impl FindKey for World {
    async fn find_key(&self, pointers: &[Pointer]) -> Result<Option<(Pointer, KeyFacts)>, Fault> {
        self.effect(|state| {
            let known = |pointer: &Pointer| state.desk.pointers.get(pointer).map(|(facts, _)| facts.clone());
            pointers.iter().find_map(|pointer| Some((pointer.clone(), known(pointer)?)))
        })
    }
}

impl Repoint for World {
    async fn repoint(&self, old: &Pointer, new: &Pointer, key: &KeyFacts) -> Result<(), Fault> {
        self.effect(|State { desk, .. }| {
            if desk.closed_peppers.contains(&new.pepper) {
                return Err(Fault::unavailable("the pepper was retired meanwhile"));
            }
            if let Some((_, needed)) = desk.pointers.get_mut(old).filter(|(_, needed)| *needed) {
                *needed = false;
                desk.pointers.insert(new.clone(), (key.clone(), true));
            }
            Ok(())
        })?
    }
}

impl ReadStanding for World {
    async fn read_standing(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<Standing>, Fault> {
        self.effect(|State { desk, .. }| {
            let key = desk.keys.get(&(facts.org, facts.id))?.clone();
            let wallet = match (desk.wallets.get(&facts.wallet()), facts.wallet()) {
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

impl ListAudit for World {
    async fn list_audit(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<AuditEntry>, Fault> {
        self.effect(|state| {
            let mut shown: Vec<AuditEntry> =
                state.desk.audit.iter().filter(|entry| entry.org == Some(org)).cloned().collect();
            shown.sort_by_key(|entry| std::cmp::Reverse(entry.id));
            page(&shown, ask)
        })?
    }
}

impl KeepPeppers for World {
    async fn count_pepper_needs(&self, version: u32, now: Timestamp) -> Result<u64, Fault> {
        self.effect(|State { desk, .. }| {
            let needing = desk.pointers.iter().filter(|(pointer, (facts, needed))| {
                let ask = Ask { generation: facts.generation, scope: None, now };
                let key = desk.keys.get(&(facts.org, facts.id));
                let known = key.is_some_and(|key| key.status == KeyStatus::Active && key.knows_text(&ask));
                pointer.pepper == version && *needed && known
            });
            needing.count() as u64
        })
    }

    async fn record_pepper(&self, version: u32, closed: bool, audit: &AuditEntry) -> Result<(), Fault> {
        self.effect(|State { desk, .. }| {
            if closed {
                desk.closed_peppers.insert(version);
            } else {
                desk.closed_peppers.remove(&version);
            }
            desk.audit.push(audit.clone());
        })
    }
}
