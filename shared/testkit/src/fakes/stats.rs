//! Fakes for statistics.

use std::collections::btree_map::Entry;
use std::ops::Bound;

use consigne_core::events::Event;
use consigne_core::periods::Day;
use consigne_core::ports::{
    KeepStats, KeepStorage, ListStats, ListStorage, Listed, PageAsk, ReadCalls, WalkLedgers, WalkOrgs,
};
use consigne_core::stats::{CountedCall, DaySpan, DayStats, Ledger, StatsKept, StorageDay};
use consigne_core::{Fault, OrgId, UserId};

use super::World;
use super::accounts::page;

impl WalkOrgs for World {
    /// The last one on the previous page.
    type Walk = Option<OrgId>;

    async fn walk_orgs(&self, limit: u32, walk: &mut Self::Walk) -> Result<Vec<OrgId>, Fault> {
        self.effect(|state| {
            let rest = state.accounts.orgs.keys().copied().filter(|org| walk.is_none_or(|last| *org > last));
            let some: Vec<OrgId> = rest.take(limit as usize).collect();
            *walk = some.last().copied().or(*walk);
            some
        })
    }
}

impl ReadCalls for World {
    async fn read_calls(&self, org: OrgId, span: DaySpan, ask: &PageAsk) -> Result<Listed<CountedCall>, Fault> {
        self.effect(|state| {
            let all = state.accounts.receipts.values().filter(|receipt| receipt.id.org() == org);
            let within = |at| (span.from..=span.to).contains(&Day::of(at));
            let mut some: Vec<_> = all.filter(|receipt| within(receipt.at)).collect();
            some.sort_by_key(|receipt| (receipt.at, receipt.id.tail()));
            let calls: Vec<CountedCall> = some.into_iter().map(CountedCall::of).collect();
            page(&calls, ask).map(|listed| Listed { total: None, ..listed })
        })?
    }
}

impl KeepStats for World {
    async fn keep_stats(&self, stats: &DayStats, ready: &Event) -> Result<StatsKept, Fault> {
        self.effect(|state| match state.stats.entry((stats.org, stats.day)) {
            Entry::Vacant(place) => {
                place.insert(stats.clone());
                state.push_event(ready);
                StatsKept::First
            }
            Entry::Occupied(place) if place.get().counted_at > stats.counted_at => StatsKept::Outdated,
            Entry::Occupied(mut place) => {
                place.insert(stats.clone());
                StatsKept::Again
            }
        })
    }
}

impl ListStats for World {
    async fn list_stats(&self, org: OrgId, span: DaySpan) -> Result<Vec<DayStats>, Fault> {
        self.effect(|state| {
            state.stats.range((org, span.from)..=(org, span.to)).map(|(_, stats)| stats.clone()).collect()
        })
    }
}

impl WalkLedgers for World {
    async fn walk_ledgers(&self, after: Option<&str>) -> Result<(Vec<Ledger>, Option<String>), Fault> {
        /// Small, so that tests need several pages.
        const PAGE: usize = 3;
        self.effect(|state| {
            let after = after.and_then(UserId::parse);
            let behind = (after.as_ref().map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            let some: Vec<_> = state.plans.range::<UserId, _>(behind).take(PAGE).collect();
            let ledgers = some.iter().map(|(owner, plan)| {
                let usage = state.usage.get(*owner).cloned().unwrap_or_default();
                Ledger { owner: (*owner).clone(), plan: **plan, usage }
            });
            let next = some.last().filter(|_| some.len() == PAGE).map(|(owner, _)| owner.to_string());
            (ledgers.collect(), next)
        })
    }
}

impl KeepStorage for World {
    async fn keep_storage(&self, storage: &StorageDay) -> Result<bool, Fault> {
        self.effect(|state| {
            let later = state.storage.get(&storage.day).is_some_and(|kept| kept.counted_at > storage.counted_at);
            if !later {
                state.storage.insert(storage.day, storage.clone());
            }
            !later
        })
    }
}

impl ListStorage for World {
    async fn list_storage(&self, span: DaySpan) -> Result<Vec<StorageDay>, Fault> {
        self.effect(|state| state.storage.range(span.from..=span.to).map(|(_, storage)| storage.clone()).collect())
    }
}
