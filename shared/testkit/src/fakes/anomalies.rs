//! Fakes for activity and anomalies.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::anomalies::{Activity, Alarm, OnAnomaly, RaiseOutcome, Response, SPAN};
use consigne_core::audit::AuditEntry;
use consigne_core::credits::WalletId;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{GetKeys, ListActivity, ListCalls, RaiseAnomaly, SetOnAnomaly};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use super::World;
use super::accounts::AccountsState;

/// Recorded activity: span, organisation, key, country.
pub type Mark = (Timestamp, OrgId, Option<KeyId>, Option<String>);

impl AccountsState {
    pub(super) fn mark(&mut self, org: OrgId, key: Option<KeyId>, country: Option<&str>, at: Timestamp) {
        self.marks.insert((at.floor(SPAN), org, key, country.map(str::to_owned)));
    }
}

impl ListActivity for World {
    async fn list_activity(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Activity>, Fault> {
        self.effect(|state| {
            let mut found: BTreeMap<(OrgId, Option<KeyId>), BTreeSet<String>> = BTreeMap::new();
            let within = |span: Timestamp| span >= from.floor(SPAN) && span <= to;
            for (_, org, key, country) in state.accounts.marks.iter().filter(|mark| within(mark.0)) {
                found.entry((*org, *key)).or_default().extend(country.clone());
            }
            found.into_iter().map(|((org, key), countries)| Activity { org, key, countries }).collect()
        })
    }
}

impl GetKeys for World {
    async fn get_keys(&self, keys: &[(OrgId, KeyId)]) -> Result<Vec<ApiKey>, Fault> {
        self.effect(|state| keys.iter().filter_map(|place| state.accounts.keys.get(place).cloned()).collect())
    }
}

impl ListCalls for World {
    async fn list_calls(
        &self,
        org: OrgId,
        key: KeyId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, String)>, Fault> {
        self.effect(|state| {
            let receipts = state.accounts.receipts.values();
            let of_key =
                receipts.filter(|receipt| receipt.id.org() == org && receipt.key == key && receipt.at >= since);
            let mut calls: Vec<_> = of_key.map(|receipt| (receipt.at, receipt.call.country.clone())).collect();
            calls.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
            calls.truncate(limit);
            calls.into_iter().filter_map(|(at, country)| Some((at, country?))).collect()
        })
    }
}

impl RaiseAnomaly for World {
    async fn raise_anomaly(&self, alarm: &Alarm) -> Result<RaiseOutcome, Fault> {
        self.effect(|state| {
            let accounts = &mut state.accounts;
            let place = (alarm.org, alarm.key, alarm.kind);
            if accounts.quiet.get(&place).is_some_and(|until| until.as_secs() > alarm.now.as_secs()) {
                return RaiseOutcome::Repeated;
            }
            match &alarm.response {
                Response::Alert => {}
                Response::SuspendKey(step) => {
                    let known = accounts.keys.get_mut(&(step.key.org, step.key.id));
                    if !known.is_some_and(|known| super::accounts::apply(known, step)) {
                        return RaiseOutcome::Conflict;
                    }
                    accounts.audit.push(step.audit.clone());
                }
                Response::SuspendOrg(entry) => {
                    let Some(org) = accounts.orgs.get_mut(&alarm.org) else { return RaiseOutcome::Conflict };
                    org.suspended = true;
                    if let Some(wallet) = accounts.wallets.get_mut(&WalletId::Organisation(alarm.org)) {
                        wallet.open = false;
                    }
                    accounts.audit.push((**entry).clone());
                }
            }
            accounts.quiet.insert(place, alarm.quiet_until);
            accounts.audit.push(alarm.audit.clone());
            state.push_event(&alarm.event);
            RaiseOutcome::Raised
        })
    }
}

impl SetOnAnomaly for World {
    async fn set_on_anomaly(&self, org: OrgId, policy: OnAnomaly, audit: &AuditEntry) -> Result<bool, Fault> {
        self.effect(|state| {
            let Some(known) = state.accounts.orgs.get_mut(&org) else { return false };
            known.on_anomaly = policy;
            state.accounts.audit.push(audit.clone());
            true
        })
    }
}
