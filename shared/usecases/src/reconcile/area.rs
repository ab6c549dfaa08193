//! One page of an area: its objects, and the records between its first and its last key.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::reconcile::{
    Area, Finding, FindingKind, Group, Judged, LedgerSums, ListedVersion, Marker, Recorded, Run, after_prefix, judge,
};
use consigne_core::{Fault, FileId, Timestamp, UserId};

use super::look::Suspect;
use super::{ReconcileBucket, ReconcileTable, Reconciler, Scope, at_once};

/// Versions as a list of the bucket has them, and where the next page starts.
pub(super) type VersionPage = (Vec<ListedVersion>, Option<Marker>);

/// A page of an area: the keys behind `from`, up to `to`.
struct Slice {
    area: Area,
    from: Option<Marker>,
    /// The last key; `None` if the page is the area's last.
    to: Option<String>,
    next: Option<Marker>,
    versions: u64,
    groups: BTreeMap<UserId, BTreeMap<Group, Vec<ListedVersion>>>,
    /// Objects whose keys no record can have.
    unknown: Vec<ListedVersion>,
}

impl Slice {
    fn new(area: Area, from: Option<Marker>, versions: Vec<ListedVersion>, next: Option<Marker>) -> Self {
        let to = next.as_ref().map(|next| next.key.clone());
        let (mut groups, mut unknown): (BTreeMap<_, BTreeMap<_, Vec<_>>>, _) = (BTreeMap::new(), Vec::new());
        let count = versions.len() as u64;
        for version in versions {
            match area.group(&version.key) {
                Some(group) => {
                    groups.entry(group.owner.clone()).or_default().entry(group).or_default().push(version);
                }
                None => unknown.push(version),
            }
        }
        Self { area, from, to, next, versions: count, groups, unknown }
    }

    /// Ends the page behind a user, if it goes on behind them.
    fn end_behind(&mut self, user: &UserId) {
        let end = after_prefix(&self.area.of_user(user));
        if self.to.as_ref().is_some_and(|to| *to <= end) {
            return;
        }
        self.groups.retain(|owner, _| owner <= user);
        self.unknown.retain(|one| one.key <= end);
        let listed = self.groups.values().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>();
        self.versions = (listed + self.unknown.len()) as u64;
        self.next = Some(Marker { key: end.clone(), within: None });
        self.to = Some(end);
    }

    fn begins_before(&self, start: &str) -> bool {
        self.from.as_ref().is_none_or(|from| start > from.key.as_str())
    }

    fn ends_behind(&self, key: &str) -> bool {
        self.to.as_ref().is_none_or(|to| key <= to.as_str())
    }

    /// Returns whether a record whose keys begin with `start` is compared with this page, and with no earlier one.
    fn is_fresh(&self, start: &str) -> bool {
        self.begins_before(start) && self.ends_behind(start)
    }

    /// Returns whether a user may have keys in this page.
    fn has(&self, owner: &UserId) -> bool {
        let start = self.area.of_user(owner);
        self.begins_before(&after_prefix(&start)) && self.ends_behind(&start)
    }

    /// Returns whether the page has a user's first key, and whether it has the last one.
    fn has_ends_of(&self, owner: &UserId) -> (bool, bool) {
        let start = self.area.of_user(owner);
        (self.begins_before(&start), self.ends_behind(&after_prefix(&start)))
    }

    /// Returns the ids between which a user's records are that this page is compared with.
    fn ids_of(&self, owner: &UserId) -> (Option<FileId>, Option<FileId>) {
        let start = self.area.of_user(owner);
        let theirs = |key: &&str| key.starts_with(&start);
        let from = self.from.as_ref().map(|from| from.key.as_str()).filter(theirs);
        self.area.ids_between(from, self.to.as_deref().filter(theirs))
    }
}

/// What a first look at a user's records and objects found.
#[derive(Default)]
struct OwnerLook {
    suspects: Vec<Suspect>,
    records: u64,
    sums: LedgerSums,
}

impl<T: ReconcileTable, B: ReconcileBucket> Reconciler<'_, T, B> {
    /// Compares the next page of an area. Returns what is wrong.
    pub(super) async fn step(&self, scope: &Scope<'_, B>, run: &mut Run) -> Result<Vec<Finding>, Fault> {
        let page = self.next_page(scope, run).await?;
        self.compare(scope, page, run).await
    }

    /// Lists the next page of an area.
    pub(super) async fn next_page(&self, scope: &Scope<'_, B>, run: &Run) -> Result<VersionPage, Fault> {
        let limit = if run.repair { self.pages.versions_to_repair } else { self.pages.versions };
        scope.bucket.list_version_page(scope.area.prefix(), run.place.after.as_ref(), limit).await
    }

    /// Compares a page of an area with the records. Returns what is wrong.
    pub(super) async fn compare(
        &self,
        scope: &Scope<'_, B>,
        (versions, next): VersionPage,
        run: &mut Run,
    ) -> Result<Vec<Finding>, Fault> {
        let mut slice = Slice::new(scope.area, run.place.after.clone(), versions, next);
        let owners = self.owners(scope, &mut slice, run).await?;
        let cutoff = run.cutoff();
        let looks = owners.iter().map(|owner| self.look_at(scope, &slice, owner, cutoff)).collect();
        let looks = at_once(looks).await?;

        let mut found: Vec<Finding> = Vec::new();
        if !scope.is_replica {
            let old = slice.unknown.iter().filter(|one| one.at < cutoff);
            found.extend(old.map(|one| unknown(&one.key, Some(&one.version), one.size, one.at)));
        }
        let (mut suspects, mut whole) = (Vec::new(), BTreeMap::new());
        let mut carried = run.place.sums.take();
        for (owner, look) in owners.iter().zip(looks) {
            // Once, although what is derived is compared with the records too.
            run.checked.records += if scope.area == Area::Originals { look.records } else { 0 };
            suspects.extend(look.suspects);
            let (_, is_last) = slice.has_ends_of(owner);
            let before = carried.take_if(|(of, _)| of == owner).map(|(_, sums)| sums).unwrap_or_default();
            let sums = before.plus(&look.sums);
            if is_last {
                whole.insert(owner.clone(), sums);
            } else {
                run.place.sums = Some((owner.clone(), sums));
            }
        }
        found.extend(self.look_again(scope, suspects, cutoff).await?);
        if scope.area == Area::Originals && !scope.is_replica {
            run.checked.users += whole.len() as u64;
            found.extend(self.wrong_ledgers(&whole).await?);
        } else {
            run.place.sums = None;
        }
        run.checked.versions += slice.versions;
        run.place.after = slice.next;
        if run.place.after.is_none() {
            self.end_phase(run);
        }
        Ok(found)
    }

    /// Returns the users whose records are compared with a page: those who have an object there, and those who have a
    /// ledger. Ends the page where the list of ledgers that was read ends.
    async fn owners(&self, scope: &Scope<'_, B>, slice: &mut Slice, run: &Run) -> Result<Vec<UserId>, Fault> {
        if scope.is_replica {
            // What the replica lacks is no finding: it is behind, or older than the rule that replicates.
            return Ok(slice.groups.keys().cloned().collect());
        }
        let from = slice.from.as_ref().map_or("", |from| scope.area.user_at(&from.key)).to_owned();
        let (mut from, limit) = (from, self.pages.owners);
        let listed = loop {
            let listed = self.table.list_owners(&from, limit).await?;
            let Some(last) = listed.last().filter(|_| listed.len() == limit as usize) else { break listed };
            if slice.begins_before(&after_prefix(&scope.area.of_user(last))) {
                slice.end_behind(last);
                break listed;
            }
            // All of them are before the page. No id is between this one and the next that is read.
            from = format!("{last}0");
        };
        let begun = run.place.sums.as_ref().map(|(owner, _)| owner.clone());
        let all: BTreeSet<UserId> =
            slice.groups.keys().cloned().chain(listed).chain(begun).filter(|owner| slice.has(owner)).collect();
        Ok(all.into_iter().collect())
    }

    /// Compares a user's objects in a page with their records.
    async fn look_at(
        &self,
        scope: &Scope<'_, B>,
        slice: &Slice,
        owner: &UserId,
        cutoff: Timestamp,
    ) -> Result<OwnerLook, Fault> {
        let (area, nothing) = (scope.area, BTreeMap::new());
        let groups = slice.groups.get(owner).unwrap_or(&nothing);
        let (mut look, mut known, mut unreadable) = (OwnerLook::default(), BTreeMap::new(), BTreeMap::new());
        let (between, mut after) = (slice.ids_of(owner), None);
        loop {
            let (records, next) = self.table.walk_records(owner, between, after).await?;
            for record in records {
                let group = area.group_of(&record);
                let is_fresh = !scope.is_replica && slice.is_fresh(&group.start);
                if is_fresh {
                    look.records += 1;
                    if let Recorded::File(file) = &record {
                        look.sums.add(file);
                    }
                }
                if groups.contains_key(&group) {
                    known.insert(group, record);
                    continue;
                }
                if is_fresh {
                    let first =
                        Judged { area, group: &group, record: Some(&record), versions: &[], complete: true, cutoff };
                    look.suspects.extend((!judge(&first).is_empty()).then(|| Suspect::of(&group, &[], true)));
                }
                if matches!(record, Recorded::Unreadable { .. }) {
                    unreadable.insert(group.file, record);
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        for (group, versions) in groups {
            let record = known.get(group).or_else(|| unreadable.get(&group.file));
            let complete = !scope.is_replica && slice.is_fresh(&group.start);
            let first = Judged { area, group, record, versions, complete, cutoff };
            look.suspects.extend((!judge(&first).is_empty()).then(|| Suspect::of(group, versions, complete)));
        }
        Ok(look)
    }
}

/// Returns the finding of a replica that does not answer or refuses.
pub(super) fn unavailable(area: Area, fault: &Fault) -> Finding {
    Finding {
        kind: FindingKind::ReplicaUnavailable,
        key: area.prefix().to_owned(),
        version: None,
        size: None,
        at: None,
        reason: fault.chain(),
    }
}

/// Returns the finding of an object, or an open upload, under a key that nothing here makes.
pub(super) fn unknown(key: &str, version: Option<&str>, size: u64, at: Timestamp) -> Finding {
    Finding {
        kind: FindingKind::UnknownObject,
        key: key.to_owned(),
        version: version.map(str::to_owned),
        size: Some(size),
        at: Some(at),
        reason: "no file, and nothing derived from one, has such a key".to_owned(),
    }
}
