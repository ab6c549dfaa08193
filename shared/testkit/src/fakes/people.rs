//! Fakes for people.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::audit::{Actor, AuditEntry};
use consigne_core::credits::WalletId;
use consigne_core::events::Event;
use consigne_core::idempotency::{CommitOutcome, WriteOutcome};
use consigne_core::orgs::OrgRole;
use consigne_core::ports::{
    CloseAccount, Departure, DueClosings, EndClosing, EndMembership, EraseAccount, FindClosings, GetProfile,
    GetProfiles, PostponeClosing, RecordWebhook, ReopenAccount, Reopened, Succession, UpdateContact,
};
use consigne_core::profiles::{ClosedBecause, Closing, ContactUpdate, Profile, Sighting};
use consigne_core::webhooks::{REMEMBERED, Received};
use consigne_core::{Fault, Timestamp, UserId};

use super::{State, World};

impl State {
    /// Returns an error if a person's account is closed.
    fn admit(&self, user: &UserId) -> Result<(), Fault> {
        let closed = self.profiles.get(user).is_some_and(|known| known.closed_at.is_some());
        if closed { Err(Sighting::closed()) } else { Ok(()) }
    }

    /// Stores the claims of a token.
    pub(super) fn see(&mut self, seen: Option<&Sighting>) {
        if let Some(Sighting { user, contact }) = seen {
            let profile = self.profiles.entry(user.clone()).or_insert_with(|| Profile::unknown(user.clone()));
            profile.from_token = Some(contact.clone());
        }
    }

    /// Returns the recorded outcome of a webhook, if it was received before.
    pub(super) fn came_before(&self, received: &Received) -> Option<WriteOutcome> {
        let before = self.webhooks.get(&(received.source, received.id.clone()))?;
        if before.now.plus(REMEMBERED).as_secs() <= received.now.as_secs() {
            return None;
        }
        let same = before.fingerprint == received.fingerprint;
        Some(if same { WriteOutcome::Replayed(before.result.clone()) } else { WriteOutcome::KeyReused })
    }

    /// Records a webhook.
    pub(super) fn remember(&mut self, received: &Received) {
        self.webhooks.insert((received.source, received.id.clone()), received.clone());
    }
}

impl RecordWebhook for World {
    async fn record_webhook(&self, received: &Received) -> Result<WriteOutcome, Fault> {
        self.effect(|state| {
            state.came_before(received).unwrap_or_else(|| {
                state.remember(received);
                WriteOutcome::Applied
            })
        })
    }
}

impl World {
    /// Runs one effect for a person, unless their account is closed.
    pub(super) fn effect_of<T>(&self, user: &UserId, effect: impl FnOnce(&mut State) -> T) -> Result<T, Fault> {
        self.effect(|state| state.admit(user).map(|()| effect(state)))?
    }

    /// Runs one effect for the actor of an audit entry. If that is a person, their account must be open.
    pub(super) fn effect_by<T>(&self, audit: &AuditEntry, effect: impl FnOnce(&mut State) -> T) -> Result<T, Fault> {
        match &audit.origin.actor {
            Actor::User(user) => self.effect_of(user, effect),
            Actor::Operator(_) | Actor::Service(_) => self.effect(effect),
        }
    }
}

impl GetProfile for World {
    async fn get_profile(&self, user: &UserId) -> Result<Profile, Fault> {
        self.effect(|state| state.profiles.get(user).cloned().unwrap_or_else(|| Profile::unknown(user.clone())))
    }
}

impl GetProfiles for World {
    async fn get_profiles(&self, users: &BTreeSet<UserId>) -> Result<BTreeMap<UserId, Profile>, Fault> {
        self.effect(|state| {
            let known = state.profiles.iter().filter(|(user, _)| users.contains(user));
            known.map(|(user, profile)| (user.clone(), profile.clone())).collect()
        })
    }
}

impl UpdateContact for World {
    async fn update_contact(&self, update: &ContactUpdate, received: &Received) -> Result<WriteOutcome, Fault> {
        self.effect(|state| {
            if let Some(before) = state.came_before(received) {
                return before;
            }
            let ContactUpdate { user, contact, at } = update;
            let mut profile = state.profiles.get(user).cloned().unwrap_or_else(|| Profile::unknown(user.clone()));
            if profile.closed_at.is_some() || profile.webhook_at.is_some_and(|last| last >= *at) {
                return WriteOutcome::Conflict;
            }
            (profile.from_webhook, profile.webhook_at) = (contact.clone(), Some(*at));
            state.profiles.insert(user.clone(), profile);
            state.remember(received);
            WriteOutcome::Applied
        })
    }
}

impl State {
    /// Closes an account that is open.
    fn close(&mut self, closing: &Closing, event: &Event) {
        let user = &closing.user;
        let tombstone = Profile { closed_at: Some(closing.closed_at), ..Profile::unknown(user.clone()) };
        self.profiles.insert(user.clone(), tombstone);
        self.closings.insert(user.clone(), closing.clone());
        self.push_event(event);
    }
}

impl CloseAccount for World {
    async fn close_account(&self, closing: &Closing, received: &Received) -> Result<WriteOutcome, Fault> {
        self.effect(|state| {
            if let Some(before) = state.came_before(received) {
                return before;
            }
            if state.admit(&closing.user).is_err() {
                return WriteOutcome::Conflict;
            }
            state.close(closing, &closing.event(ClosedBecause::Deleted));
            state.remember(received);
            WriteOutcome::Applied
        })
    }
}

impl EraseAccount for World {
    async fn erase_account(&self, closing: &Closing, event: &Event, audit: Option<&AuditEntry>) -> Result<(), Fault> {
        self.effect_of(&closing.user, |state| {
            state.close(closing, event);
            state.accounts.audit.extend(audit.cloned());
        })
    }
}

impl ReopenAccount for World {
    async fn reopen_account(&self, user: &UserId, audit: &AuditEntry) -> Result<Reopened, Fault> {
        self.effect(|state| {
            if state.admit(user).is_ok() {
                return Reopened::WasOpen;
            }
            if state.closings.contains_key(user) {
                return Reopened::StillClosing;
            }
            state.profiles.remove(user);
            state.accounts.audit.push(audit.clone());
            Reopened::Open
        })
    }
}

impl FindClosings for World {
    async fn find_closings(&self, now: Timestamp) -> Result<DueClosings, Fault> {
        self.effect(|state| {
            let due = state.closings.values().filter(|closing| closing.due_at <= now);
            let mut closings: Vec<_> = due.cloned().collect();
            closings.sort_by_key(|closing| closing.due_at);
            let due = state.accounts.deletions.values().filter(|deletion| deletion.due_at <= now);
            let mut deletions: Vec<_> = due.cloned().collect();
            deletions.sort_by_key(|deletion| deletion.due_at);
            DueClosings { closings, deletions, unreadable: Vec::new() }
        })
    }
}

impl PostponeClosing for World {
    async fn postpone_closing(&self, closing: &Closing, until: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            if let Some(known) = state.closings.get_mut(&closing.user) {
                known.due_at = until;
            }
        })
    }
}

impl EndClosing for World {
    async fn end_closing(&self, user: &UserId) -> Result<(), Fault> {
        self.effect(|state| drop(state.closings.remove(user)))
    }
}

impl EndMembership for World {
    async fn end_membership(&self, departure: &Departure) -> Result<CommitOutcome, Fault> {
        self.effect(|State { accounts, .. }| {
            let Departure { member, succession, audit } = departure;
            let role = |user: &UserId| accounts.members.get(&(member.org, user.clone())).map(|member| member.role);
            if role(&member.user) != Some(member.role) {
                return CommitOutcome::Conflict;
            }
            match succession {
                Succession::Owner(owner) if role(owner) != Some(OrgRole::Owner) => return CommitOutcome::Conflict,
                Succession::Nobody(_) if !accounts.exists(member.org) => return CommitOutcome::Conflict,
                _ => {}
            }
            accounts.members.remove(&(member.org, member.user.clone()));
            accounts.audit.push(audit.clone());
            if let Succession::Nobody(suspended) = succession {
                accounts.orgs.entry(member.org).and_modify(|org| org.suspended = true);
                accounts.wallets.entry(WalletId::Organisation(member.org)).and_modify(|wallet| wallet.open = false);
                accounts.audit.push(AuditEntry::clone(suspended));
            }
            CommitOutcome::Committed
        })
    }
}
