//! Fakes for nightly maintenance.

use consigne_core::credits::WalletId;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{ExpireLots, ForgetPeriods, Listed, PageAsk, WalkKeys};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use super::World;
use super::accounts::page;

impl WalkKeys for World {
    async fn walk_keys(&self, org: OrgId, ask: &PageAsk) -> Result<Listed<ApiKey>, Fault> {
        self.effect(|state| {
            let keys: Vec<ApiKey> = state.accounts.keys.values().filter(|key| key.org == org).cloned().collect();
            page(&keys, ask).map(|listed| Listed { total: None, ..listed })
        })?
    }
}

impl ForgetPeriods for World {
    async fn forget_periods(&self, org: OrgId, key: KeyId, periods: &[String]) -> Result<(), Fault> {
        self.effect(|state| {
            if let Some(key) = state.accounts.keys.get_mut(&(org, key)) {
                key.used.retain(|period, _| !periods.contains(period));
            }
        })
    }
}

impl ExpireLots for World {
    async fn expire_lots(&self, id: &WalletId, now: Timestamp) -> Result<bool, Fault> {
        self.effect(|state| {
            let due = state.accounts.wallets.get(id).is_some_and(|wallet| wallet.is_stale(now));
            state.expire_lots_of(id, now);
            due
        })
    }
}
