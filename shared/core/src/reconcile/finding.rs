//! What a reconciliation finds.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Defines [`FindingKind`] from rows of description, kind, name, metric, and whether it is repaired.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $name:literal, $metric:literal, $repaired:literal;)+) => {
        /// A kind of difference between the table and the bucket.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum FindingKind {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $kind,)+
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// Returns the name used in reports, events and the audit log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// Returns the metric that counts it.
            pub const fn metric(self) -> &'static str {
                match self { $(Self::$kind => $metric,)+ }
            }

            /// Returns whether a repair removes it. Other kinds need a person.
            pub const fn is_repaired(self) -> bool {
                match self { $(Self::$kind => $repaired,)+ }
            }

            /// Returns what it means, as a sentence.
            pub fn description(self) -> &'static str {
                match self { $(Self::$kind => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

kinds! {
    /// An object whose key has no record.
    ObjectWithoutRecord = "object_without_record", "ReconcileObjectWithoutRecord", true;
    /// A version of an object that its record does not name.
    VersionWithoutRecord = "version_without_record", "ReconcileVersionWithoutRecord", true;
    /// A delete marker. Files are deleted by version, so nothing needs it.
    DeleteMarker = "delete_marker", "ReconcileDeleteMarker", true;
    /// A derived object whose original is gone.
    DerivedWithoutOriginal = "derived_without_original", "ReconcileDerivedWithoutOriginal", true;
    /// An open upload in parts that no session names.
    UploadWithoutSession = "upload_without_session", "ReconcileUploadWithoutSession", true;
    /// A version in the replica whose original is gone.
    ReplicaWithoutOriginal = "replica_without_original", "ReconcileReplicaWithoutOriginal", true;
    /// A record of a file whose object is gone.
    RecordWithoutObject = "record_without_object", "ReconcileRecordWithoutObject", false;
    /// A record whose version is gone, while its key has another one.
    OtherVersion = "other_version", "ReconcileOtherVersion", false;
    /// A record whose version has another size than it says.
    OtherSize = "other_size", "ReconcileOtherSize", false;
    /// A record that names a derived object that is gone.
    DerivedMissing = "derived_missing", "ReconcileDerivedMissing", false;
    /// A record that `sweep` should have finished long ago.
    OverdueRecord = "overdue_record", "ReconcileOverdueRecord", false;
    /// A record that cannot be read.
    UnreadableRecord = "unreadable_record", "ReconcileUnreadableRecord", false;
    /// A ledger that differs from the sum of its owner's records.
    LedgerDiffers = "ledger_differs", "ReconcileLedgerDiffers", false;
    /// The replica did not answer, or refused to be listed or changed. It was not compared as a whole.
    ReplicaUnavailable = "replica_unavailable", "ReconcileReplicaUnavailable", false;
    /// An object, or an open upload, under a key that nothing here makes.
    UnknownObject = "unknown_object", "ReconcileUnknownObject", false;
}

impl FindingKind {
    /// Returns whether it is about what a record expects, and not about one version that was listed.
    pub const fn is_of_record(self) -> bool {
        matches!(
            self,
            Self::RecordWithoutObject
                | Self::OtherVersion
                | Self::DerivedMissing
                | Self::OverdueRecord
                | Self::UnreadableRecord
                | Self::LedgerDiffers
        )
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One difference between the table and the bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The object's key; for a ledger the id of its owner, and for the replica the prefix that was to be compared.
    pub key: String,
    /// The version of the object, or the id of the open upload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Size in bytes of what was found in the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the object was written, or the record last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was expected instead, as a sentence.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_metrics_are_told_apart() {
        let names: BTreeSet<_> = FindingKind::ALL.into_iter().map(FindingKind::name).collect();
        let metrics: BTreeSet<_> = FindingKind::ALL.into_iter().map(FindingKind::metric).collect();
        assert_eq!((names.len(), metrics.len()), (FindingKind::ALL.len(), FindingKind::ALL.len()));
        for kind in FindingKind::ALL {
            assert_eq!(FindingKind::from_name(kind.name()), Some(kind));
            assert!(kind.description().ends_with('.'), "{}", kind.description());
        }
    }
}
