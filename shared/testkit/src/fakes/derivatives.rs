//! Objects derived from pictures, and what records say of them.

use consigne_core::files::{Derivatives, DerivedKey, File, MediaType, Status};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{ListDerived, PutDerived, RecordDerivatives, StoredVersion};
use consigne_core::{Fault, FileId, UserId};

use super::{Version, World};

impl PutDerived for World {
    async fn put_derived(&self, key: &DerivedKey, _: &MediaType, bytes: Vec<u8>) -> Result<Option<String>, Fault> {
        self.effect(|state| {
            let versions = state.objects.entry(key.to_string()).or_default();
            if !versions.is_empty() {
                return None;
            }
            let id = format!("of-{}", key.as_str().rsplit('/').next().unwrap_or_default());
            versions.push(Version { id: id.clone(), bytes, zeros: 0 });
            Some(id)
        })
    }
}

impl ListDerived for World {
    async fn list_derived(&self, owner: &UserId, file: FileId) -> Result<Vec<StoredVersion>, Fault> {
        self.effect(|state| {
            let prefix = DerivedKey::prefix(owner, file);
            let objects = state.objects.iter().filter(|(key, _)| key.starts_with(&prefix));
            let versions = objects.flat_map(|(key, versions)| {
                versions.iter().map(|version| StoredVersion { key: key.clone(), version: version.id.clone() })
            });
            versions.collect()
        })
    }
}

impl RecordDerivatives for World {
    async fn record_derivatives(&self, file: &File, derivatives: &Derivatives) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let Some(stored) = state.files.get_mut(&(file.owner().clone(), file.id())) else {
                return CommitOutcome::Conflict;
            };
            let version = |file: &File| file.pinned.as_ref().map(|pinned| pinned.version.clone());
            if stored.status != Status::Ready || version(stored) != version(file) {
                return CommitOutcome::Conflict;
            }
            stored.derivatives = Some(derivatives.clone());
            stored.revision += 1;
            CommitOutcome::Committed
        })
    }
}
