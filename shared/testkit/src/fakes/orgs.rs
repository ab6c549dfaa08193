//! Fakes for organisations and their audit log.

use consigne_core::audit::AuditEntry;
use consigne_core::credits::WalletId;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::orgs::{Member, Organisation};
use consigne_core::ports::{
    CreateOrg, GetMember, GetOrg, ListAudit, ListMembers, ListOrgs, Listed, NewOrg, PageAsk, SuspendOrg,
};
use consigne_core::{Fault, OrgId, UserId};

use super::accounts::page;
use super::{State, World};

impl CreateOrg for World {
    async fn create_org(&self, new: &NewOrg) -> Result<WriteOutcome, Fault> {
        self.action(&new.audit, |state| {
            let now = new.org.created_at;
            if let Some(before) = new.idempotent.as_ref().and_then(|idempotent| state.accounts.kept(idempotent, now)) {
                return Ok(before);
            }
            state.see(new.seen.as_ref())?;
            let accounts = &mut state.accounts;
            accounts.keep(new.idempotent.as_ref(), now);
            accounts.orgs.insert(new.org.id, new.org.clone());
            accounts.members.insert((new.org.id, new.owner.user.clone()), new.owner.clone());
            accounts.wallets.insert(new.wallet.id.clone(), new.wallet.clone());
            accounts.audit.push(new.audit.clone());
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl GetOrg for World {
    async fn get_org(&self, org: OrgId) -> Result<Option<Organisation>, Fault> {
        self.effect(|state| state.accounts.orgs.get(&org).cloned())
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
            let places: Vec<_> = places.map(|member| (accounts.orgs[&member.org].clone(), member.clone())).collect();
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
