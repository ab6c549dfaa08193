//! Ports for the reconciliation of the table with the bucket.

use std::collections::{BTreeMap, BTreeSet};

use super::PortFuture;
use crate::events::Event;
use crate::idempotency::CommitOutcome;
use crate::reconcile::{LedgerSums, ListedUpload, ListedVersion, Marker, Recorded, Run};
use crate::{FileId, UserId};

/// Lists the versions of many objects. `s3:ListBucketVersions`.
pub trait ListVersionPage {
    /// Returns at most `limit` versions and delete markers of keys that begin with `prefix`, behind a position, in the
    /// order of their keys, and where the next page starts, if there is one.
    fn list_version_page(
        &self,
        prefix: &str,
        after: Option<&Marker>,
        limit: u32,
    ) -> impl PortFuture<(Vec<ListedVersion>, Option<Marker>)>;
}

/// Lists all open uploads in parts. `s3:ListBucketMultipartUploads`.
pub trait ListUploadPage {
    /// Returns a page behind a position, and where the next one starts, if there is one.
    fn list_upload_page(&self, after: Option<&Marker>) -> impl PortFuture<(Vec<ListedUpload>, Option<Marker>)>;
}

/// Walks through the ids of users, in their order. `dynamodb:Query`.
pub trait ListOwners {
    /// Returns the first `limit` users with a ledger whose ids are at least `from`, sorted.
    fn list_owners(&self, from: &str, limit: u32) -> impl PortFuture<Vec<UserId>>;
}

/// Walks through the records of a user's files, including those of deleted ones, in the order of their ids.
/// `dynamodb:Query`.
pub trait WalkRecords {
    /// Returns the records from one id to another, both included, as many as one query reads, and the id behind which the
    /// next page starts, if there is one.
    fn walk_records(
        &self,
        owner: &UserId,
        between: (Option<FileId>, Option<FileId>),
        after: Option<FileId>,
    ) -> impl PortFuture<(Vec<Recorded>, Option<FileId>)>;
}

/// Reads records of several users. `dynamodb:BatchGetItem`.
pub trait GetRecords {
    /// Returns the records that exist, read consistently. Up to 100 are one call.
    fn get_records(&self, files: &BTreeSet<(UserId, FileId)>) -> impl PortFuture<BTreeMap<(UserId, FileId), Recorded>>;
}

/// Reads what the ledgers of several users count. `dynamodb:BatchGetItem`.
pub trait GetLedgerSums {
    /// Returns the counts, read consistently, whether they are sound or not. Users without a ledger have none. Up to 100 are
    /// one call.
    fn get_ledger_sums(&self, owners: &BTreeSet<UserId>) -> impl PortFuture<BTreeMap<UserId, LedgerSums>>;
}

/// Reads the last run. `dynamodb:GetItem`.
pub trait GetRun {
    /// Returns the run, whether it has ended or not; `None` if there was none.
    fn get_run(&self) -> impl PortFuture<Option<Run>>;
}

/// Writes a run, and the event of its end, in one transaction. `dynamodb:PutItem`.
pub trait KeepRun {
    /// Writes the run, if the stored one still has the revision before that of `run`.
    fn keep_run(&self, run: &Run, event: Option<&Event>) -> impl PortFuture<CommitOutcome>;
}
