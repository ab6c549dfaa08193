//! Reconciliation: whether the table and the bucket say the same.
//!
//! [`Area`] says which keys are compared with which records, [`judge()`] what is wrong with one file, and [`Run`] how far a
//! run has come. A run is one item of the table, so it goes on after an invocation that ended or was killed.

mod area;
mod finding;
mod judge;
mod run;
mod sums;

pub use area::{Area, Group, KnownPrefix, PREFIXES, PrefixOwner, after_prefix, prefix_of};
pub use finding::{Finding, FindingKind};
pub use judge::{Judged, judge, judge_upload};
pub use run::{Checked, FIRST, GRACE, LEASE, Lease, Phase, Place, Run};
pub use sums::LedgerSums;

use crate::files::File;
use crate::{FileId, Timestamp, UserId};

/// A version of an object, or a delete marker, as a list of the bucket shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The object's key.
    pub key: String,
    /// S3's id of the version.
    pub version: String,
    /// Size in bytes; 0 for a delete marker.
    pub size: u64,
    /// Whether it is a delete marker.
    pub is_marker: bool,
    /// When it was written.
    pub at: Timestamp,
}

/// An open upload in parts, as a list of the bucket shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedUpload {
    /// The key of its object.
    pub key: String,
    /// S3's id of the upload.
    pub id: String,
    /// When it was opened.
    pub at: Timestamp,
}

/// A position in a list of the bucket: behind this key, or within the versions or uploads of it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Marker {
    /// The key.
    pub key: String,
    /// The last version or upload of the key that was read. `None` if nothing of the key is left to read.
    pub within: Option<String>,
}

/// The record of a file, as a reconciliation reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// The record.
    File(Box<File>),
    /// A record that cannot be parsed. Nothing that may belong to it is a finding.
    Unreadable {
        /// Whose it is.
        owner: UserId,
        /// Id of the file.
        file: FileId,
    },
}

impl Recorded {
    /// Returns the id of the file.
    pub fn id(&self) -> FileId {
        match self {
            Self::File(file) => file.id(),
            Self::Unreadable { file, .. } => *file,
        }
    }
}
