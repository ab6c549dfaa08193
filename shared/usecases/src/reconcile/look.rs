//! The second look: what a page showed is listed and read again, by itself.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::reconcile::{Finding, FindingKind, Group, Judged, ListedVersion, Recorded, judge};
use consigne_core::{Fault, FileId, Timestamp, UserId};

use super::{PAGE, ReconcileBucket, ReconcileTable, Reconciler, Scope, at_once};

/// Groups that are read again with one call.
const AT_ONCE: usize = 100;

/// A group of which a first look found something.
pub(super) struct Suspect {
    group: Group,
    /// The keys and versions that the page had. Others are counted with their own page.
    seen: BTreeSet<(String, String)>,
    /// Whether the record is compared with this page.
    complete: bool,
}

impl Suspect {
    pub(super) fn of(group: &Group, versions: &[ListedVersion], complete: bool) -> Self {
        let seen = versions.iter().map(|one| (one.key.clone(), one.version.clone())).collect();
        Self { group: group.clone(), seen, complete }
    }

    fn is_ours(&self, finding: &Finding) -> bool {
        if finding.kind.is_of_record() {
            return self.complete;
        }
        let version = finding.version.clone().unwrap_or_default();
        self.seen.contains(&(finding.key.clone(), version))
    }
}

/// The versions of a group as they are now, and what is wrong with them.
pub(super) struct Again {
    pub(super) versions: Vec<ListedVersion>,
    pub(super) found: Vec<Finding>,
}

impl<T: ReconcileTable, B: ReconcileBucket> Reconciler<'_, T, B> {
    /// Looks at suspects again. Returns what is still wrong.
    pub(super) async fn look_again(
        &self,
        scope: &Scope<'_, B>,
        suspects: Vec<Suspect>,
        cutoff: Timestamp,
    ) -> Result<Vec<Finding>, Fault> {
        let mut found = Vec::new();
        for some in suspects.chunks(AT_ONCE) {
            let groups: Vec<&Group> = some.iter().map(|suspect| &suspect.group).collect();
            let looks = self.look_closely(scope, &groups, cutoff).await?;
            for (suspect, look) in some.iter().zip(looks) {
                found.extend(look.found.into_iter().filter(|finding| suspect.is_ours(finding)));
            }
        }
        Ok(found)
    }

    /// Lists all of some groups, then reads their records.
    pub(super) async fn look_closely(
        &self,
        scope: &Scope<'_, B>,
        groups: &[&Group],
        cutoff: Timestamp,
    ) -> Result<Vec<Again>, Fault> {
        let lists = at_once(groups.iter().map(|group| self.versions_of(scope, group)).collect()).await?;
        let places: BTreeSet<(UserId, FileId)> = groups.iter().map(|group| (group.owner.clone(), group.file)).collect();
        let records: BTreeMap<_, Recorded> = self.table.get_records(&places).await?;
        let looks = groups.iter().zip(lists).map(|(group, versions)| {
            let record = records.get(&(group.owner.clone(), group.file));
            let now = Judged { area: scope.area, group, record, versions: &versions, complete: true, cutoff };
            let found = judge(&now);
            Again { found: if scope.is_replica { in_replica(found) } else { found }, versions }
        });
        Ok(looks.collect())
    }

    /// Lists all versions of a group.
    async fn versions_of(&self, scope: &Scope<'_, B>, group: &Group) -> Result<Vec<ListedVersion>, Fault> {
        let (mut versions, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = scope.bucket.list_version_page(&group.start, after.as_ref(), PAGE).await?;
            let ours = |key: &str| scope.area.is_in(key, group);
            versions.extend(page.into_iter().filter(|one| ours(&one.key)));
            // Keys are listed in order, so others follow once the first other one has come.
            after = next.filter(|next| ours(&next.key));
            if after.is_none() {
                return Ok(versions);
            }
        }
    }
}

/// Returns what a look at the replica finds: only versions that the original bucket no longer has a use for. What the
/// replica lacks is no finding.
fn in_replica(found: Vec<Finding>) -> Vec<Finding> {
    let left_over = |kind| {
        matches!(
            kind,
            FindingKind::ObjectWithoutRecord
                | FindingKind::VersionWithoutRecord
                | FindingKind::DerivedWithoutOriginal
                | FindingKind::DeleteMarker
        )
    };
    let found = found.into_iter().filter(|finding| left_over(finding.kind));
    found.map(|finding| Finding { kind: FindingKind::ReplicaWithoutOriginal, ..finding }).collect()
}
