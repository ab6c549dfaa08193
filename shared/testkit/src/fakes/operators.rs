//! Fakes for the operators' command line.

use std::cmp::Reverse;

use consigne_core::audit::AuditEntry;
use consigne_core::credits::{Hold, WalletId};
use consigne_core::orgs::Organisation;
use consigne_core::ports::{AuditSearch, FindHolds, GetLedgers, ListAllOrgs, Listed, PageAsk, SearchAudit};
use consigne_core::stats::Ledger;
use consigne_core::{Fault, OrgId, UserId};

use super::World;
use super::accounts::page;

impl ListAllOrgs for World {
    async fn list_all_orgs(&self, suspended: Option<bool>, ask: &PageAsk) -> Result<Listed<Organisation>, Fault> {
        self.effect(|state| {
            let after = match ask.after.as_deref() {
                Some(text) => Some(OrgId::parse(text).ok_or_else(Fault::invalid_cursor)?),
                None => None,
            };
            let older = state.accounts.orgs.values().rev().filter(|org| after.is_none_or(|after| org.id < after));
            let fitting = older.filter(|org| suspended.is_none_or(|wanted| org.suspended == wanted));
            let mut found: Vec<Organisation> = fitting.take(ask.limit as usize + 1).cloned().collect();
            let more = found.len() > ask.limit as usize;
            found.truncate(ask.limit as usize);
            let next = found.last().filter(|_| more).map(|org| org.id.to_string());
            Ok(Listed { items: found, next, total: None })
        })?
    }
}

impl SearchAudit for World {
    async fn search_audit(
        &self,
        org: Option<OrgId>,
        search: &AuditSearch,
        ask: &PageAsk,
    ) -> Result<Listed<AuditEntry>, Fault> {
        self.effect(|state| {
            let log = state.accounts.audit.iter().filter(|entry| entry.org == org && search.finds(entry));
            let mut found: Vec<AuditEntry> = log.cloned().collect();
            found.sort_by_key(|entry| Reverse(entry.id));
            page(&found, ask).map(|listed| Listed { total: None, ..listed })
        })?
    }
}

impl FindHolds for World {
    async fn find_holds(&self, wallet: &WalletId) -> Result<Vec<Hold>, Fault> {
        self.effect(|state| {
            let open = state.accounts.holds.values().filter(|hold| hold.end.is_none() && hold.wallet == *wallet);
            let mut found: Vec<Hold> = open.cloned().collect();
            found.sort_by_key(|hold| (hold.expires_at, hold.id));
            found
        })
    }
}

impl GetLedgers for World {
    async fn get_ledgers(&self, owners: &[UserId]) -> Result<Vec<Ledger>, Fault> {
        self.effect(|state| {
            let granted = owners.iter().filter_map(|owner| Some((owner, *state.plans.get(owner)?)));
            let ledger = |(owner, plan): (&UserId, _)| {
                let usage = state.usage.get(owner).cloned().unwrap_or_default();
                Ledger { owner: owner.clone(), plan, usage }
            };
            granted.map(ledger).collect()
        })
    }
}
