//! Events about the storage of the installation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::reconcile::FindingKind;

/// `storage.reconciled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageReconciled {
    /// When the run began, in UTC.
    pub started_at: Timestamp,
    /// Whether the run removed what can be repaired.
    pub repair: bool,
    /// Versions of objects that were compared.
    pub objects: u64,
    /// Records that were compared.
    pub records: u64,
    /// What was found, by kind.
    #[schemars(length(min = 1))]
    pub findings: Vec<StorageFinding>,
}

/// How many findings of a kind there were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StorageFinding {
    /// The kind of finding.
    #[schemars(with = "String", extend("enum" = FindingKind::ALL))]
    pub kind: FindingKind,
    /// Number of findings.
    #[schemars(range(min = 1))]
    pub found: u64,
    /// How many of them were repaired.
    pub repaired: u64,
}
