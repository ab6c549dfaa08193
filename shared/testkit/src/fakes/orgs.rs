//! Fakes for organisations and their audit log.

use consigne_core::audit::AuditEntry;
use consigne_core::credits::WalletId;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::orgs::{Member, Organisation, too_many_organisations};
use consigne_core::ports::{
    CreateOrg, GetMember, GetOrg, ListAudit, ListMembers, ListOrgs, Listed, NewOrg, PageAsk, RenameOrg, SuspendOrg,
};
use consigne_core::{Fault, OrgId, Plan, UserId};

use super::accounts::{AccountsState, page};
use super::{State, World};

impl CreateOrg for World {
    async fn create_org(&self, new: &NewOrg) -> Result<WriteOutcome, Fault> {
        self.action(&new.audit, |state| {
            let now = new.org.created_at;
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| state.accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            if let Some(plan) = new.plan {
                state.accounts.found_one(&new.owner.user, plan)?;
            }
            state.see(new.seen.as_ref());
            let accounts = &mut state.accounts;
            if new.plan.is_some() {
                accounts.founders.insert(new.org.id, new.owner.user.clone());
            }
            accounts.keep(new.idempotent.as_ref(), now);
            accounts.orgs.insert(new.org.id, new.org.clone());
            accounts.members.insert((new.org.id, new.owner.user.clone()), new.owner.clone());
            accounts.wallets.insert(new.wallet.id.clone(), new.wallet.clone());
            accounts.audit.push(new.audit.clone());
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl AccountsState {
    /// Returns whether there is an item of an organisation: it exists, or it is deleted.
    pub(super) fn exists(&self, org: OrgId) -> bool {
        self.orgs.contains_key(&org) || self.deleted.contains_key(&org)
    }

    /// Requires that a person may found another organisation. Those they founded before there was a count are counted
    /// now.
    fn found_one(&mut self, founder: &UserId, plan: Plan) -> Result<(), Fault> {
        let created = |org: OrgId| self.orgs.get(&org).map(|org| org.created_at);
        let places = self.members.values().filter(|member| member.user == *founder);
        let older: Vec<OrgId> =
            places.filter(|member| created(member.org) == Some(member.joined_at)).map(|member| member.org).collect();
        for org in older {
            self.founders.entry(org).or_insert_with(|| founder.clone());
        }
        let existing = self.founders.values().filter(|other| *other == founder).count();
        let limit = usize::try_from(plan.allowances().organisations).unwrap_or(usize::MAX);
        if existing < limit { Ok(()) } else { Err(too_many_organisations(plan)) }
    }
}

impl GetOrg for World {
    async fn get_org(&self, org: OrgId) -> Result<Option<Organisation>, Fault> {
        self.effect(|state| state.accounts.orgs.get(&org).cloned())
    }
}

impl RenameOrg for World {
    async fn rename_org(&self, org: OrgId, name: &str, audit: &AuditEntry) -> Result<bool, Fault> {
        self.action(audit, |State { accounts, .. }| {
            let Some(known) = accounts.orgs.get_mut(&org) else { return false };
            name.clone_into(&mut known.name);
            accounts.audit.push(audit.clone());
            true
        })
    }
}

impl SuspendOrg for World {
    async fn suspend_org(&self, org: OrgId, suspended: bool, audit: &AuditEntry) -> Result<bool, Fault> {
        self.effect(|State { accounts, .. }| {
            let Some(known) = accounts.orgs.get_mut(&org) else { return false };
            if known.suspended == suspended {
                return true;
            }
            known.suspended = suspended;
            if let Some(wallet) = accounts.wallets.get_mut(&WalletId::Organisation(org)) {
                wallet.open = !suspended;
            }
            accounts.audit.push(audit.clone());
            true
        })
    }
}

impl GetMember for World {
    async fn get_member(&self, org: OrgId, user: &UserId) -> Result<Option<Member>, Fault> {
        self.effect(|state| state.accounts.members.get(&(org, user.clone())).cloned())
    }
}

impl ListMembers for World {
    async fn list_members(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<Member>, Fault> {
        self.effect(|state| {
            let members: Vec<Member> =
                state.accounts.members.values().filter(|member| member.org == org).cloned().collect();
            page(&members, ask)
        })?
    }
}

impl ListOrgs for World {
    async fn list_orgs(&self, user: &UserId, ask: &PageAsk) -> Result<Listed<(Organisation, Member)>, Fault> {
        self.effect(|State { accounts, .. }| {
            let places = accounts.members.values().filter(|member| member.user == *user);
            // Of a deleted organisation, memberships may be left for a moment.
            let place = |member: &Member| Some((accounts.orgs.get(&member.org)?.clone(), member.clone()));
            let places: Vec<_> = places.filter_map(place).collect();
            page(&places, ask)
        })?
    }
}

impl ListAudit for World {
    async fn list_audit(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<AuditEntry>, Fault> {
        self.effect(|state| {
            let mut shown: Vec<AuditEntry> =
                state.accounts.audit.iter().filter(|entry| entry.org == Some(org)).cloned().collect();
            shown.sort_by_key(|entry| std::cmp::Reverse(entry.id));
            page(&shown, ask)
        })?
    }
}
