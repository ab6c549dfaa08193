//! Fakes for members and invitations.

use consigne_core::audit::AuditEntry;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::invitations::{INVITER_DAILY_MAX, Invitation, InvitationStatus, inviter_exhausted};
use consigne_core::keys::KeyFacts;
use consigne_core::members::{MEMBERS_MAX, Removal, RoleStep, Stepped, full, new_payer};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::periods::Day;
use consigne_core::ports::{
    AcceptInvitation, Acceptance, Accepted, ChangeRole, CreateInvitation, GetInvitation, ListInvitations, Listed,
    NewInvitation, PageAsk, PutMember, RemoveMember, RevokeInvitation,
};
use consigne_core::{Code, Fault, InvitationId, OrgId, Timestamp, UserId};

use super::accounts::{AccountsState, page};
use super::{State, World};

impl AccountsState {
    /// Returns an organisation's members.
    fn members_of(&self, org: OrgId) -> Vec<Member> {
        self.members.values().filter(|member| member.org == org).cloned().collect()
    }

    fn is_full(&self, org: OrgId) -> bool {
        self.members_of(org).len() >= MEMBERS_MAX as usize
    }

    /// Returns whether a member is the only owner.
    fn is_last_owner(&self, member: &Member) -> bool {
        let owners = self.members_of(member.org).into_iter().filter(|member| member.role == OrgRole::Owner);
        member.role == OrgRole::Owner && owners.count() == 1
    }

    /// Returns whether the payer of a test key is no longer a member.
    pub(super) fn spender_has_left(&self, key: &KeyFacts) -> bool {
        key.spender.as_ref().is_some_and(|spender| !self.members.contains_key(&(key.org, spender.clone())))
    }

    /// Returns the new payer of the keys that a member leaves behind, if there is one.
    pub(super) fn new_payer(&self, org: OrgId) -> Option<UserId> {
        new_payer(&self.members_of(org)).map(|new_payer| new_payer.user.clone())
    }
}

impl PutMember for World {
    async fn put_member(&self, member: &Member, audit: &AuditEntry) -> Result<(), Fault> {
        self.effect_by(audit, |State { accounts, .. }| {
            let place = (member.org, member.user.clone());
            if accounts.members.contains_key(&place) {
                return Err(Fault::new(Code::Conflict, "This person is already a member"));
            }
            if accounts.is_full(member.org) {
                return Err(full());
            }
            accounts.members.insert(place, member.clone());
            accounts.audit.push(audit.clone());
            Ok(())
        })?
    }
}

impl ChangeRole for World {
    async fn change_role(&self, step: &RoleStep) -> Result<Stepped, Fault> {
        self.action(&step.audit, |State { accounts, .. }| {
            let place = (step.seen.org, step.seen.user.clone());
            let Some(known) = accounts.members.get(&place).filter(|known| known.role == step.seen.role) else {
                return Stepped::Conflict;
            };
            if step.role != OrgRole::Owner && accounts.is_last_owner(known) {
                return Stepped::LastOwner;
            }
            accounts.members.entry(place).and_modify(|member| member.role = step.role);
            accounts.audit.push(step.audit.clone());
            Stepped::Done
        })
    }
}

impl RemoveMember for World {
    async fn remove_member(&self, removal: &Removal) -> Result<Stepped, Fault> {
        self.action(&removal.audit, |State { accounts, .. }| {
            let place = (removal.seen.org, removal.seen.user.clone());
            let Some(known) = accounts.members.get(&place).filter(|known| known.role == removal.seen.role) else {
                return Stepped::Conflict;
            };
            if accounts.is_last_owner(known) {
                return Stepped::LastOwner;
            }
            accounts.members.remove(&place);
            accounts.audit.push(removal.audit.clone());
            Stepped::Done
        })
    }
}

impl CreateInvitation for World {
    async fn create_invitation(&self, new: &NewInvitation) -> Result<WriteOutcome, Fault> {
        self.action(&new.audit, |state| {
            let (accounts, invitation) = (&mut state.accounts, &new.invitation);
            let now = invitation.created_at;
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            let all = accounts.invitations.values().filter(|other| other.org == invitation.org);
            let members = u32::try_from(accounts.members_of(invitation.org).len()).unwrap_or(u32::MAX);
            invitation.admit(&all.cloned().collect::<Vec<_>>(), members)?;
            let sent = accounts.invited.entry((invitation.invited_by.clone(), Day::of(now))).or_default();
            if *sent >= INVITER_DAILY_MAX {
                return Err(inviter_exhausted(now));
            }
            *sent += 1;
            accounts.keep(new.idempotent.as_ref(), now);
            accounts.invitations.insert((invitation.org, invitation.id), invitation.clone());
            accounts.audit.push(new.audit.clone());
            state.push_event(&new.event);
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl GetInvitation for World {
    async fn get_invitation(&self, org: OrgId, id: InvitationId) -> Result<Option<Invitation>, Fault> {
        self.effect(|state| state.accounts.invitations.get(&(org, id)).cloned())
    }
}

impl ListInvitations for World {
    async fn list_invitations(&self, org: OrgId, now: Timestamp, ask: &PageAsk) -> Result<Listed<Invitation>, Fault> {
        self.effect(|state| {
            let all = state.accounts.invitations.values().rev();
            let open = all.filter(|invitation| invitation.org == org && invitation.is_open(now));
            page(&open.cloned().collect::<Vec<_>>(), ask)
        })?
    }
}

impl RevokeInvitation for World {
    async fn revoke_invitation(&self, invitation: &Invitation, audit: &AuditEntry) -> Result<bool, Fault> {
        self.action(audit, |State { accounts, .. }| {
            let known = accounts.invitations.get_mut(&(invitation.org, invitation.id));
            let Some(known) = known.filter(|known| known.is_open(audit.at)) else { return false };
            known.status = InvitationStatus::Revoked;
            accounts.audit.push(audit.clone());
            true
        })
    }
}

impl AcceptInvitation for World {
    async fn accept_invitation(&self, acceptance: &Acceptance) -> Result<Accepted, Fault> {
        self.action(&acceptance.audit, |state| {
            let Acceptance { invitation, member, seen, audit } = acceptance;
            let (place, name) = ((member.org, member.user.clone()), (invitation.org, invitation.id));
            let open = state.accounts.invitations.get(&name).is_some_and(|known| known.is_open(audit.at));
            if !open {
                return Accepted::Conflict;
            }
            if state.accounts.members.contains_key(&place) {
                return Accepted::Member;
            }
            let inviter = state.accounts.members.get(&(invitation.org, invitation.invited_by.clone()));
            let deleted = state.accounts.deleted.contains_key(&member.org);
            if deleted || !inviter.is_some_and(|inviter| inviter.role.may_invite(invitation.role)) {
                return Accepted::Withdrawn;
            }
            if state.accounts.is_full(member.org) {
                return Accepted::Full;
            }
            state.see(seen.as_ref());
            let accounts = &mut state.accounts;
            let accepted = InvitationStatus::Accepted(member.user.clone());
            accounts.invitations.entry(name).and_modify(|invitation| invitation.status = accepted);
            accounts.members.insert(place, member.clone());
            accounts.audit.push(audit.clone());
            Accepted::Joined
        })
    }
}
