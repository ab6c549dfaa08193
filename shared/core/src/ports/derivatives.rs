//! Ports for what is derived from pictures.

use super::PortFuture;
use crate::files::{Derivatives, DerivedKey, File, MediaType};
use crate::idempotency::CommitOutcome;
use crate::{FileId, UserId};

/// Writes a derived object. `s3:PutObject`.
pub trait PutDerived {
    /// Writes the bytes under a key and returns S3's id of the version. Returns `None` if there is an object under the key.
    ///
    /// So a key has one version, even if its file is derived twice at once.
    fn put_derived(&self, key: &DerivedKey, media: &MediaType, bytes: Vec<u8>) -> impl PortFuture<Option<String>>;
}

/// A version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// The object's key.
    pub key: String,
    /// S3's id of the version.
    pub version: String,
}

/// Lists what is derived from a file. `s3:ListBucketVersions`.
pub trait ListDerived {
    /// Returns every version, and every delete marker, of everything derived from a file.
    fn list_derived(&self, owner: &UserId, file: FileId) -> impl PortFuture<Vec<StoredVersion>>;
}

/// Records what was derived from a file. `dynamodb:UpdateItem`.
pub trait RecordDerivatives {
    /// Records it, if the file is still ready with the same version. What its owner changes meanwhile stays.
    fn record_derivatives(&self, file: &File, derivatives: &Derivatives) -> impl PortFuture<CommitOutcome>;
}
