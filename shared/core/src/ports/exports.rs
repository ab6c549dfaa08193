//! Ports for exports of people's data.

use super::PortFuture;
use crate::UserId;
use crate::audit::AuditEntry;
use crate::events::Event;
use crate::exports::{Export, ExportKey, PersonRecord};
use crate::idempotency::CommitOutcome;

/// Requests an export, in one transaction with the event that starts the work, on condition that the account is open.
/// `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait RequestExport {
    /// Records the export and returns it, or returns the person's last one if that [answers](Export::answers) the request;
    /// then nothing is written. With an audit entry, an operator asks, which counts towards no limit.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the account is closed, `RATE_LIMITED` for one export too many in a day.
    fn request_export(&self, export: &Export, audit: Option<&AuditEntry>) -> impl PortFuture<Export>;
}

/// Reads a person's last export. `dynamodb:GetItem`.
pub trait GetExport {
    /// Returns the export, read consistently, or `None` if there is none.
    fn get_export(&self, user: &UserId) -> impl PortFuture<Option<Export>>;
}

/// Writes how far an export has come, and the event of its end, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait AdvanceExport {
    /// Replaces the previous revision. Returns `Conflict` if another one is stored, or none.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the account is closed.
    fn advance_export(&self, export: &Export, event: Option<&Event>) -> impl PortFuture<CommitOutcome>;
}

/// Removes the record of a person's export. `dynamodb:DeleteItem`.
pub trait ForgetExport {
    /// Removes the record. Succeeds if it does not exist.
    fn forget_export(&self, user: &UserId) -> impl PortFuture<()>;
}

/// Walks through the records of a person. `dynamodb:Query`.
pub trait WalkPerson {
    /// Returns at most `limit` records behind a place, as many as one query reads, and the place behind which the next page
    /// starts, if there is one. Leaves out what only counts or only works for a while.
    fn walk_person(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: u32,
    ) -> impl PortFuture<(Vec<PersonRecord>, Option<String>)>;
}

/// Writes an object of an export. `s3:PutObject`.
pub trait PutExport {
    /// Writes the text under a key and returns S3's id of the version.
    fn put_export(&self, key: &ExportKey, text: String) -> impl PortFuture<String>;
}
