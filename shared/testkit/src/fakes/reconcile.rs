//! Lists of the whole bucket, walks through records and ledgers, and the last run of the reconciliation.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::events::Event;
use consigne_core::files::{Kind, Usage};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{
    GetLedgerSums, GetRecords, GetRun, KeepRun, ListOwners, ListUploadPage, ListVersionPage, WalkRecords,
};
use consigne_core::reconcile::{LedgerSums, ListedUpload, ListedVersion, Marker, Recorded, Run};
use consigne_core::{Fault, FileId, Timestamp, UserId};

use super::{State, World};

/// Most versions or uploads in one page. Source: Amazon S3 API reference, `ListObjectVersions`.
const PAGE_MAX: usize = 1_000;

/// What the reconciliation reads and writes beside files and objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReconcileFakes {
    /// When a version was written, by key and version, or an upload was opened, by key and upload. Others are from 1970.
    pub ages: BTreeMap<(String, String), Timestamp>,
    /// The versions that are delete markers, by key and version.
    pub markers: BTreeSet<(String, String)>,
    /// Users whose ledger is wrong: what it says, instead of what the other fakes count.
    pub ledgers: BTreeMap<UserId, LedgerSums>,
    /// Records that cannot be read.
    pub unreadable: BTreeSet<(UserId, FileId)>,
    /// Records that one query returns; 0 for as many as there are.
    pub records_in_a_page: usize,
    /// The last run.
    pub run: Option<Run>,
}

impl State {
    fn age(&self, key: &str, version: &str) -> Timestamp {
        let place = (key.to_owned(), version.to_owned());
        self.reconcile.ages.get(&place).copied().unwrap_or(Timestamp::from_secs(0))
    }

    /// Lists the versions of the keys from `start` on, in the bucket or its replica.
    fn listed(&self, is_replica: bool, start: &str) -> impl Iterator<Item = ListedVersion> + '_ {
        // The newest version of a key comes first.
        let keys = if is_replica { &self.replica } else { &self.objects }.range(start.to_owned()..);
        let versions = keys.flat_map(|(key, versions)| versions.iter().rev().map(move |one| (key, one)));
        versions.map(|(key, one)| ListedVersion {
            key: key.clone(),
            version: one.id.clone(),
            size: one.bytes.len() as u64 + one.zeros,
            is_marker: self.reconcile.markers.contains(&(key.clone(), one.id.clone())),
            at: self.age(key, &one.id),
        })
    }

    fn recorded(&self, owner: &UserId, id: FileId) -> Option<Recorded> {
        let place = (owner.clone(), id);
        if self.reconcile.unreadable.contains(&place) {
            return Some(Recorded::Unreadable { owner: place.0, file: id });
        }
        self.files.get(&place).map(|file| Recorded::File(Box::new(file.clone())))
    }
}

/// Returns the entries behind a position, which names a key or one of the entries of a key.
fn behind<T>(
    all: impl Iterator<Item = T>,
    after: Option<&Marker>,
    most: usize,
    of: impl Fn(&T) -> (String, String),
) -> Vec<T> {
    let Some(after) = after else { return all.take(most).collect() };
    let mut within = after.within.is_some();
    let rest = all.filter(|one| {
        let (key, id) = of(one);
        if key != after.key {
            return key > after.key;
        }
        let skipped = within || after.within.is_none();
        within &= after.within.as_ref() != Some(&id);
        !skipped
    });
    rest.take(most).collect()
}

impl ListVersionPage for World {
    async fn list_version_page(
        &self,
        prefix: &str,
        after: Option<&Marker>,
        limit: u32,
    ) -> Result<(Vec<ListedVersion>, Option<Marker>), Fault> {
        self.effect(|state| {
            let start = after.map_or(prefix, |after| after.key.as_str().max(prefix));
            let all = state.listed(self.is_replica, start).take_while(|one| one.key.starts_with(prefix));
            let limit = (limit as usize).min(PAGE_MAX);
            let mut rest = behind(all, after, limit + 1, |one| (one.key.clone(), one.version.clone()));
            let more = rest.len() > limit;
            rest.truncate(limit);
            let last = rest.last().filter(|_| more);
            let next = last.map(|one| Marker { key: one.key.clone(), within: Some(one.version.clone()) });
            (rest, next)
        })
    }
}

impl ListUploadPage for World {
    async fn list_upload_page(&self, after: Option<&Marker>) -> Result<(Vec<ListedUpload>, Option<Marker>), Fault> {
        self.effect(|state| {
            let mut all: Vec<ListedUpload> = state
                .uploads
                .iter()
                .map(|(id, upload)| {
                    let at = state.age(&upload.key, id);
                    ListedUpload { key: upload.key.clone(), id: id.clone(), at }
                })
                .collect();
            all.sort_by(|one, other| (&one.key, &one.id).cmp(&(&other.key, &other.id)));
            let mut rest = behind(all.into_iter(), after, PAGE_MAX + 1, |one| (one.key.clone(), one.id.clone()));
            let more = rest.len() > PAGE_MAX;
            rest.truncate(PAGE_MAX);
            let last = rest.last().filter(|_| more);
            let next = last.map(|one| Marker { key: one.key.clone(), within: Some(one.id.clone()) });
            (rest, next)
        })
    }
}

impl ListOwners for World {
    async fn list_owners(&self, from: &str, limit: u32) -> Result<Vec<UserId>, Fault> {
        self.effect(|state| {
            let owners = state.plans.keys().skip_while(|owner| owner.as_str() < from);
            owners.take(limit as usize).cloned().collect()
        })
    }
}

impl WalkRecords for World {
    async fn walk_records(
        &self,
        owner: &UserId,
        (first, last): (Option<FileId>, Option<FileId>),
        after: Option<FileId>,
    ) -> Result<(Vec<Recorded>, Option<FileId>), Fault> {
        self.effect(|state| {
            let span = (owner.clone(), FileId::first_at(Timestamp::from_secs(0)))..;
            let ids: BTreeSet<FileId> = state
                .files
                .range(span.clone())
                .map(|(place, _)| place)
                .take_while(|(whose, _)| whose == owner)
                .chain(state.reconcile.unreadable.range(span).take_while(|(whose, _)| whose == owner))
                .filter(|(whose, id)| {
                    whose == owner
                        && first.is_none_or(|first| *id >= first)
                        && last.is_none_or(|last| *id <= last)
                        && after.is_none_or(|after| *id > after)
                })
                .map(|(_, id)| *id)
                .collect();
            let page = state.reconcile.records_in_a_page;
            let limit = if page == 0 { ids.len() } else { page };
            let some: Vec<FileId> = ids.iter().copied().take(limit).collect();
            let next = some.last().copied().filter(|_| ids.len() > limit);
            (some.into_iter().filter_map(|id| state.recorded(owner, id)).collect(), next)
        })
    }
}

impl GetRecords for World {
    async fn get_records(
        &self,
        files: &BTreeSet<(UserId, FileId)>,
    ) -> Result<BTreeMap<(UserId, FileId), Recorded>, Fault> {
        self.effect(|state| {
            let found = files.iter().filter_map(|place| Some((place.clone(), state.recorded(&place.0, place.1)?)));
            found.collect()
        })
    }
}

/// Returns the counts of a ledger.
fn sums(usage: &Usage) -> LedgerSums {
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut sums =
        LedgerSums { committed: signed(usage.committed), reserved: signed(usage.reserved), ..LedgerSums::default() };
    for kind in Kind::ALL {
        sums.files[kind as usize] = signed(usage.of(kind).files);
        sums.bytes[kind as usize] = signed(usage.of(kind).bytes);
    }
    sums
}

impl GetLedgerSums for World {
    async fn get_ledger_sums(&self, owners: &BTreeSet<UserId>) -> Result<BTreeMap<UserId, LedgerSums>, Fault> {
        self.effect(|state| {
            let of = |owner: &UserId| {
                let wrong = state.reconcile.ledgers.get(owner).copied();
                wrong.or_else(|| state.usage.get(owner).map(sums))
            };
            owners.iter().filter_map(|owner| Some((owner.clone(), of(owner)?))).collect()
        })
    }
}

impl GetRun for World {
    async fn get_run(&self) -> Result<Option<Run>, Fault> {
        self.effect(|state| state.reconcile.run.clone())
    }
}

impl KeepRun for World {
    async fn keep_run(&self, run: &Run, event: Option<&Event>) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let seen = state.reconcile.run.as_ref().map_or(0, |run| run.revision);
            if seen + 1 != run.revision {
                return CommitOutcome::Conflict;
            }
            state.reconcile.run = Some(run.clone());
            if let Some(event) = event {
                state.push_event(event);
            }
            CommitOutcome::Committed
        })
    }
}
