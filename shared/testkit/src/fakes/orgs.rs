//! Organisations, their members and their audit trail in memory.

use consigne_core::audit::AuditEntry;
use consigne_core::credits::WalletId;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::orgs::{Member, Organisation};
use consigne_core::ports::{
    CreateOrg, GetMember, GetOrg, ListAudit, ListMembers, ListOrgs, Listed, NewOrg, PageAsk, SuspendOrg,
};
use consigne_core::{Fault, OrgId, UserId};

use super::desk::page;
use super::{State, World};

impl CreateOrg for World {
    async fn create_org(&self, new: &NewOrg) -> Result<WriteOutcome, Fault> {
        self.effect(|state| {
            let now = new.org.created_at;
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| state.desk.kept(idempotent, now)) {
                return Ok(before);
            }
            state.see(new.seen.as_ref())?;
            let desk = &mut state.desk;
            desk.keep(new.idempotent.as_ref(), now);
            desk.orgs.insert(new.org.id, new.org.clone());
            desk.members.insert((new.org.id, new.owner.user.clone()), new.owner.clone());
            desk.wallets.insert(new.wallet.id.clone(), new.wallet.clone());
            desk.audit.push(new.audit.clone());
            Ok(WriteOutcome::Applied)
        })?
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
            // The same entry written again is one entry, here as there.
            if !desk.audit.contains(audit) {
                desk.audit.push(audit.clone());
            }
            true
        })
    }
}

impl GetMember for World {
    async fn get_member(&self, org: OrgId, user: &UserId) -> Result<Option<Member>, Fault> {
        self.effect(|state| state.desk.members.get(&(org, user.clone())).cloned())
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
