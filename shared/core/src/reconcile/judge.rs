//! Judges what belongs to one record: the objects that were listed, against what the record says.

use std::time::Duration;

use super::{Area, Finding, FindingKind, Group, ListedUpload, ListedVersion, Recorded};
use crate::Timestamp;
use crate::files::{DerivativeState, File, Status};

/// One look at a group: its record, and what was listed of it.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// The area of the group.
    pub area: Area,
    /// The group.
    pub group: &'a Group,
    /// Its record, which was read after the list.
    pub record: Option<&'a Recorded>,
    /// Its versions and delete markers.
    pub versions: &'a [ListedVersion],
    /// Whether `versions` are all of the group, so that what is not among them is missing.
    pub complete: bool,
    /// What was written or changed since is under way, and no finding.
    pub cutoff: Timestamp,
}

/// Returns what is wrong with a group.
///
/// The bucket is listed before the record is read. A record is written before its object, and is marked before its object
/// is removed, so what the list has and the record does not explain is left over, unless it is younger than `cutoff`.
pub fn judge(look: &Judged<'_>) -> Vec<Finding> {
    let record = match look.record {
        Some(Recorded::File(file)) if look.area == Area::Originals && file.key.as_str() != look.group.start => None,
        Some(Recorded::File(file)) => Some(&**file),
        Some(Recorded::Unreadable { .. }) => return unreadable(look),
        None => None,
    };
    let mut found = Vec::new();
    let Some(file) = record else {
        found.extend(look.old_versions().map(|version| orphan(look.area, version)));
        return found;
    };
    if look.complete && look.area == Area::Originals {
        found.extend(overdue(file, look.cutoff));
    }
    if file.changed_at >= look.cutoff {
        return found;
    }
    match look.area {
        Area::Originals => judge_original(look, file, &mut found),
        Area::Derived => judge_derived(look, file, &mut found),
    }
    found
}

impl Judged<'_> {
    /// Returns the versions that are no longer under way.
    fn old_versions(&self) -> impl Iterator<Item = &ListedVersion> {
        self.versions.iter().filter(|version| version.at < self.cutoff)
    }
}

fn judge_original(look: &Judged<'_>, file: &File, found: &mut Vec<Finding>) {
    let kept = file.keeps().map(|pinned| pinned.version.as_str());
    let stored = look.versions.iter().find(|one| kept == Some(one.version.as_str()) && !one.is_marker);
    let must_exist = matches!(file.status, Status::Ready | Status::Processing);
    if let (true, Some(kept)) = (must_exist, kept) {
        match stored {
            Some(stored) if stored.size != file.size => {
                let reason = format!("the record says {} bytes", file.size);
                found.push(of_version(FindingKind::OtherSize, stored, reason));
            }
            None if look.complete => {
                let other = look.versions.iter().find(|one| !one.is_marker);
                let kind = if other.is_some() { FindingKind::OtherVersion } else { FindingKind::RecordWithoutObject };
                found.push(of_record(kind, file, Some(kept), format!("the record names version {kept}")));
            }
            Some(_) | None => {}
        }
        // Without its own version, another one may be the only copy that is left. An incomplete look does not know.
        if stored.is_none() && look.complete {
            return;
        }
    }
    // Somebody is still at work on the others.
    if matches!(file.status, Status::Pending | Status::Processing | Status::Deleting) {
        return;
    }
    let others = look.old_versions().filter(|one| kept != Some(one.version.as_str()));
    let reason = || match kept {
        Some(kept) => format!("the record names version {kept}"),
        None => format!("the record is {}, without an object", file.status.name()),
    };
    found.extend(others.map(|one| left_over(FindingKind::VersionWithoutRecord, one, reason())));
}

fn judge_derived(look: &Judged<'_>, file: &File, found: &mut Vec<Finding>) {
    match file.status {
        Status::Rejected | Status::Infected | Status::Deleted => {
            let reason = || format!("the original is {}", file.status.name());
            let left = look.old_versions();
            found.extend(left.map(|one| left_over(FindingKind::DerivedWithoutOriginal, one, reason())));
        }
        Status::Ready => {
            let copies = file.readable_copies();
            let named = |one: &ListedVersion| {
                copies.iter().any(|copy| copy.version == one.version && file.derived_key(copy).as_str() == one.key)
            };
            for copy in copies.iter().filter(|_| look.complete) {
                let key = file.derived_key(copy);
                let is_it = |one: &ListedVersion| one.key == key.as_str() && one.version == copy.version;
                if !look.versions.iter().any(is_it) {
                    let reason = format!("the record names version {}", copy.version);
                    let mut finding = of_record(FindingKind::DerivedMissing, file, Some(&copy.version), reason);
                    finding.key = key.to_string();
                    found.push(finding);
                }
            }
            // What is derived while the record still waits for it will be named, or removed with the original.
            let waits = file.derivatives.as_ref().is_none_or(|known| known.state == DerivativeState::Pending);
            if !waits {
                let reason = || "the record names no such copy".to_owned();
                // While the version that the record names is missing, another one may be all that is left of the copy.
                let is_whole = |one: &ListedVersion| {
                    let of_key = copies.iter().filter(|copy| file.derived_key(copy).as_str() == one.key);
                    of_key.into_iter().all(|copy| {
                        look.versions.iter().any(|there| there.key == one.key && there.version == copy.version)
                    })
                };
                let left = look.old_versions().filter(|one| !named(one) && is_whole(one));
                found.extend(left.map(|one| left_over(FindingKind::VersionWithoutRecord, one, reason())));
            }
        }
        Status::Pending | Status::Processing | Status::Deleting => {}
    }
}

/// Returns the finding of a record that cannot be read. Its objects are none, because nobody can say which it names.
fn unreadable(look: &Judged<'_>) -> Vec<Finding> {
    let Group { owner, file, start } = look.group;
    // Objects with the same id have groups of their own.
    if look.area != Area::Originals || !look.complete || *start != format!("{owner}/{file}") {
        return Vec::new();
    }
    let reason = format!("read the item USER#{owner}, FILE#{file} and mend it");
    let key = format!("{owner}/{file}");
    vec![Finding { kind: FindingKind::UnreadableRecord, key, version: None, size: None, at: None, reason }]
}

/// How long after it was due a record is a finding. `sweep` finishes it within minutes.
const OVERDUE: Duration = Duration::from_hours(1);

fn overdue(file: &File, cutoff: Timestamp) -> Option<Finding> {
    let due = file.due_at().filter(|due| due.plus(OVERDUE) < cutoff)?;
    let reason = format!("the record is {} and was due at {due}", file.status.name());
    Some(of_record(FindingKind::OverdueRecord, file, None, reason))
}

fn orphan(area: Area, version: &ListedVersion) -> Finding {
    match area {
        Area::Originals => left_over(FindingKind::ObjectWithoutRecord, version, "the key has no record".to_owned()),
        Area::Derived => {
            left_over(FindingKind::DerivedWithoutOriginal, version, "the original has no record".to_owned())
        }
    }
}

/// Returns the finding of a version, or of a delete marker, that nothing needs.
fn left_over(kind: FindingKind, version: &ListedVersion, reason: String) -> Finding {
    of_version(if version.is_marker { FindingKind::DeleteMarker } else { kind }, version, reason)
}

fn of_version(kind: FindingKind, version: &ListedVersion, reason: String) -> Finding {
    Finding {
        kind,
        key: version.key.clone(),
        version: Some(version.version.clone()),
        size: (!version.is_marker).then_some(version.size),
        at: Some(version.at),
        reason,
    }
}

fn of_record(kind: FindingKind, file: &File, version: Option<&str>, reason: String) -> Finding {
    let version = version.map(str::to_owned);
    Finding { kind, key: file.key.to_string(), version, size: None, at: Some(file.changed_at), reason }
}

/// Returns the finding of an open upload, if no session names it. `record` was read after the list.
pub fn judge_upload(upload: &ListedUpload, record: Option<&Recorded>, cutoff: Timestamp) -> Option<Finding> {
    let reason = match record {
        _ if upload.at >= cutoff => return None,
        Some(Recorded::Unreadable { .. }) => return None,
        Some(Recorded::File(file)) if file.key.as_str() == upload.key => {
            let named = file.parts.as_ref().and_then(|session| session.upload.as_ref());
            let is_named = named.is_some_and(|open| open.id == upload.id);
            match file.status {
                // `sweep` aborts it when the session ends.
                Status::Pending if is_named => return None,
                Status::Pending => "the session names another upload".to_owned(),
                status => format!("the record is {}, and has no session", status.name()),
            }
        }
        Some(Recorded::File(_)) | None => "the key has no record".to_owned(),
    };
    let (key, version, at) = (upload.key.clone(), Some(upload.id.clone()), Some(upload.at));
    Some(Finding { kind: FindingKind::UploadWithoutSession, key, version, size: None, at, reason })
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
