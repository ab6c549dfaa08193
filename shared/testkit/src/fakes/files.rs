//! Reads of files, steps of files, and changes of what their owners say about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use consigne_core::files::{File, ObjectKey, Publication, Transition};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{
    ApplyTransition, BeginDelete, ChangeFile, FileChange, FileChangeOutcome, GetFile, GetFiles, GetPublished,
    InvalidatePaths, ListVersions, PublishFile, ReadRange, RemoveVersion,
};
use consigne_core::rates::Rate;
use consigne_core::{Fault, FileId, Plan, PublicId, Timestamp, UserId};

use super::{State, World};

/// Bytes of records that one query returns. Source: DynamoDB API reference, `Query`.
const QUERY_MAX: usize = 1 << 20;
/// Bytes of a record beside its texts, about.
const RECORD: usize = 500;

/// Returns how many records, from the first on, one query returns.
pub(super) fn fit_in_one_query(files: &[File]) -> usize {
    let mut size = 0;
    let fits = |file: &&File| {
        let texts: usize = file.metadata.texts().iter().map(|(name, text)| name.len() + text.len()).sum();
        size += RECORD + file.key.as_str().len() + file.name.as_str().len() + texts;
        size <= QUERY_MAX
    };
    files.iter().take_while(fits).count()
}

impl GetFile for World {
    async fn get_file(&self, owner: &UserId, file: FileId) -> Result<Option<File>, Fault> {
        self.effect(|state| state.files.get(&(owner.clone(), file)).cloned())
    }
}

impl BeginDelete for World {
    async fn begin_delete(&self, key: &ObjectKey, now: Timestamp) -> Result<Option<File>, Fault> {
        self.effect(|state| {
            let file = state.files.get_mut(&(key.owner().clone(), key.file()))?;
            if file.key != *key || !file.status.is_visible() {
                return None;
            }
            *file = file.deleting(now);
            Some(file.clone())
        })
    }
}

impl GetFiles for World {
    async fn get_files(&self, owner: &UserId, files: &BTreeSet<FileId>) -> Result<BTreeMap<FileId, File>, Fault> {
        self.effect(|state| {
            let found = files.iter().filter_map(|id| Some((*id, state.files.get(&(owner.clone(), *id))?.clone())));
            found.collect()
        })
    }
}

impl ReadRange for World {
    async fn read_range(&self, key: &str, version: &str, from: u64, length: u64) -> Result<Option<Vec<u8>>, Fault> {
        self.effect(|state| {
            let found = state.objects.get(key)?.iter().find(|known| known.id == version)?;
            let (from, length) = (usize::try_from(from).ok()?, usize::try_from(length).unwrap_or(usize::MAX));
            let rest = found.bytes.get(from..).filter(|rest| !rest.is_empty())?;
            Some(rest[..length.min(rest.len())].to_vec())
        })
    }
}

impl ListVersions for World {
    async fn list_versions(&self, key: &str) -> Result<Vec<String>, Fault> {
        self.effect(|state| {
            let objects = if self.is_replica { &state.replica } else { &state.objects };
            let versions = objects.get(key).into_iter().flatten();
            versions.rev().map(|version| version.id.clone()).collect()
        })
    }
}

impl RemoveVersion for World {
    async fn remove_version(&self, key: &str, version: &str) -> Result<(), Fault> {
        if self.removals_refused.load(Ordering::Relaxed) {
            return Err(Fault::unavailable("planned: removals are refused"));
        }
        self.effect(|state| {
            let objects = if self.is_replica { &mut state.replica } else { &mut state.objects };
            if let Some(versions) = objects.get_mut(key) {
                versions.retain(|known| known.id != version);
                if versions.is_empty() {
                    objects.remove(key);
                }
            }
        })
    }
}

impl ChangeFile for World {
    async fn change_file(&self, change: &FileChange) -> Result<FileChangeOutcome, Fault> {
        self.effect_of(change.file.owner(), |state| write(state, &change.file, change.plan, change.now))
    }
}

impl PublishFile for World {
    async fn publish_file(&self, change: &Publication, plan: Plan, now: Timestamp) -> Result<FileChangeOutcome, Fault> {
        self.effect_of(change.file.owner(), |state| {
            let outcome = write(state, &change.file, plan, now);
            if outcome == FileChangeOutcome::Applied {
                state.addresses.insert(change.id, (change.file.owner().clone(), change.file.id()));
                change.event.iter().for_each(|event| state.push_event(event));
            }
            outcome
        })
    }
}

impl ApplyTransition for World {
    async fn apply_transition(&self, step: &Transition) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let place = (step.file.owner().clone(), step.file.id());
            if state.files.get(&place).is_none_or(|file| file.revision != step.seen) {
                return CommitOutcome::Conflict;
            }
            if step.job.as_ref().is_some_and(|follows| !state.jobs.is_current(follows)) {
                return CommitOutcome::Conflict;
            }
            if step.order.as_ref().is_some_and(|follows| !state.is_current_order(follows)) {
                return CommitOutcome::Conflict;
            }
            state.files.insert(place.clone(), step.file.clone());
            step.ledger.apply(state.usage.entry(place.0).or_default(), step.file.kind());
            if let Some(event) = &step.event {
                state.push_event(event);
            }
            if let Some(follows) = &step.job {
                state.take_step(follows);
            }
            if let Some(follows) = &step.order {
                state.take_order_step(follows);
            }
            CommitOutcome::Committed
        })
    }
}

impl GetPublished for World {
    async fn get_published(&self, id: PublicId) -> Result<Option<(UserId, FileId)>, Fault> {
        self.effect(|state| state.addresses.get(&id).cloned())
    }
}

impl InvalidatePaths for World {
    async fn invalidate_paths(&self, name: &str, paths: &[String]) -> Result<(), Fault> {
        self.effect(|state| drop(state.invalidated.insert(name.to_owned(), paths.to_vec())))
    }
}

/// Writes a changed record, if it still has the revision before, and counts the write.
fn write(state: &mut State, file: &File, plan: Plan, now: Timestamp) -> FileChangeOutcome {
    let place = (file.owner().clone(), file.id());
    if state.files.get(&place).is_none_or(|known| known.revision + 1 != file.revision) {
        return FileChangeOutcome::Conflict;
    }
    let usage = state.usage.entry(place.0.clone()).or_default();
    match usage.windows.admit(&[Rate::Writes], plan, now) {
        Ok(windows) => usage.windows = windows,
        Err(over) => return FileChangeOutcome::OverRate(over),
    }
    state.files.insert(place, file.clone());
    FileChangeOutcome::Applied
}
