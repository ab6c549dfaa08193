//! Reads of several files, and changes of what their owners say about them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use consigne_core::files::File;
use consigne_core::ports::{
    ChangeFile, FileChange, FileChangeOutcome, GetFiles, ListVersions, ReadRange, RemoveVersion,
};
use consigne_core::rates::Rate;
use consigne_core::{Fault, FileId, UserId};

use super::World;

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

impl RemoveVersion for World {
    async fn remove_version(&self, key: &str, version: &str) -> Result<(), Fault> {
        if self.removals_refused.load(Ordering::Relaxed) {
            return Err(Fault::unavailable("planned: removals are refused"));
        }
        self.effect(|state| {
            if let Some(versions) = state.objects.get_mut(key) {
                versions.retain(|known| known.id != version);
                if versions.is_empty() {
                    state.objects.remove(key);
                }
            }
        })
    }
}

impl ListVersions for World {
    async fn list_versions(&self, key: &str) -> Result<Vec<String>, Fault> {
        self.effect(|state| {
            let versions = state.objects.get(key).into_iter().flatten();
            versions.rev().map(|version| version.id.clone()).collect()
        })
    }
}

impl ChangeFile for World {
    async fn change_file(&self, change: &FileChange) -> Result<FileChangeOutcome, Fault> {
        self.effect_of(change.file.owner(), |state| {
            let place = (change.file.owner().clone(), change.file.id());
            if state.files.get(&place).is_none_or(|file| file.revision + 1 != change.file.revision) {
                return FileChangeOutcome::Conflict;
            }
            let usage = state.usage.entry(place.0.clone()).or_default();
            match usage.windows.admit(&[Rate::Writes], change.plan, change.now) {
                Ok(windows) => usage.windows = windows,
                Err(over) => return FileChangeOutcome::OverRate(over),
            }
            state.files.insert(place, change.file.clone());
            FileChangeOutcome::Applied
        })
    }
}
