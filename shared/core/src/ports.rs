//! What the outside world must be able to do: one trait a verb, and by that one trait an IAM action.
//!
//! The bounds of a handler are therefore its policy. Every verb about a tenant's things takes the tenant; there is no way
//! to ask without one. Errors are [`Fault`]s: an adapter turns what went wrong into `UNAVAILABLE` (worth a retry) or
//! `INTERNAL` (not), with the cause for the log.

mod anomalies;
mod deliveries;
mod gateway;
mod holds;
mod jobs;
mod keys;
mod mail;
mod maintenance;
mod members;
mod migrations;
mod people;
mod purchases;
mod stats;
mod texts;

pub use anomalies::*;
pub use deliveries::*;
pub use gateway::*;
pub use holds::*;
pub use jobs::*;
pub use keys::*;
pub use mail::*;
pub use maintenance::*;
pub use members::*;
pub use migrations::*;
pub use people::*;
pub use purchases::*;
pub use stats::*;
pub use texts::*;

use std::future::Future;
use std::time::Duration;

use crate::credits::Hold;
use crate::deliveries::Delivery;
use crate::events::OutboxEntry;
use crate::files::{File, Grant, GrantOutcome, Kind, ObjectKey, Status, Transition, Usage};
use crate::jobs::Job;
use crate::profiles::{Closing, Profile};
use crate::{EventId, Fault, FileId, Timestamp, UserId};

/// What every verb gives back, some time.
pub trait PortFuture<T>: Future<Output = Result<T, Fault>> + Send {}
impl<T, F: Future<Output = Result<T, Fault>> + Send> PortFuture<T> for F {}

/// Reserves bytes and records a pending file, in one transaction, with the notice that storage is nearly full if it becomes so.
/// `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait GrantUpload {
    /// Makes the grant, or says why not; only `Granted` changes anything.
    fn grant_upload(&self, grant: &Grant) -> impl PortFuture<GrantOutcome>;
}

/// Reads one file of a user. `dynamodb:GetItem`.
pub trait GetFile {
    /// Gives the record, tombstones included; `None` when there is none.
    fn get_file(&self, owner: &UserId, file: FileId) -> impl PortFuture<Option<File>>;
}

/// Reads a user's ledger. `dynamodb:GetItem`.
pub trait GetUsage {
    /// Gives the ledger, empty for a user who never wrote.
    fn get_usage(&self, owner: &UserId) -> impl PortFuture<Usage>;
}

/// Which files a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only of this status.
    pub status: Status,
    /// Only of this kind.
    pub kind: Option<Kind>,
}

/// A place in a list: after this file. Newest first, so what follows is older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the file entered its status.
    pub changed_at: Timestamp,
    /// Which file.
    pub file: FileId,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// At most as many files as asked for, newest first.
    pub files: Vec<File>,
    /// Where the next page starts, if there is more.
    pub next: Option<Position>,
}

/// Lists a user's files, newest first. `dynamodb:Query`.
pub trait ListFiles {
    /// Gives one page of at most `limit` files after a position.
    fn list_files(&self, owner: &UserId, filter: Filter, limit: u32, after: Option<&Position>)
    -> impl PortFuture<Page>;

    /// Counts the files a filter shows, for filters the ledger does not count.
    fn count_files(&self, owner: &UserId, filter: Filter) -> impl PortFuture<u64>;
}

/// Marks a user's file as deleting. `dynamodb:UpdateItem`.
pub trait BeginDelete {
    /// Marks the file and gives the record as marked; `None` when the owner has no such visible file.
    ///
    /// Of several who ask at once, one gets it, and gets it also when an answer was lost on the way.
    fn begin_delete(&self, key: &ObjectKey, now: Timestamp) -> impl PortFuture<Option<File>>;
}

/// Moves a file by one step: record, ledger and outbox in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ApplyTransition {
    /// Applies the step; `false` when the record has moved since it was read, and nothing was changed.
    fn apply_transition(&self, step: &Transition) -> impl PortFuture<bool>;
}

/// Removes one version of an object for good. `s3:DeleteObjectVersion`.
pub trait RemoveVersion {
    /// Removes the version; one that is gone already is removed.
    fn remove_version(&self, key: &str, version: &str) -> impl PortFuture<()>;
}

/// What the bucket holds under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// Version id.
    pub version: String,
    /// Entity tag, without quotes.
    pub etag: String,
    /// Bytes in all.
    pub size: u64,
    /// The first bytes.
    pub bytes: Vec<u8>,
}

/// Reads the start of an object. `s3:GetObject`, `s3:GetObjectVersion`, `s3:ListBucket` (without which a missing key is
/// a 403).
pub trait ReadHead {
    /// Reads at most `length` bytes of a version, or of the current one; `None` when it is not there.
    fn read_head(&self, key: &str, version: Option<&str>, length: u64) -> impl PortFuture<Option<ObjectHead>>;
}

/// Something whose time has come, found by `sweep`.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// A grant that ran out, or a deletion that was not finished.
    File(Box<File>),
    /// An event that was not published.
    Event(OutboxEntry),
    /// A job that was not delivered in time.
    Job(Box<Job>),
    /// An account that was closed.
    Closing(Closing),
    /// A hold that nobody resolved.
    Hold(Box<Hold>),
    /// A delivery whose next attempt is due, and has no message on its way.
    Delivery(Box<Delivery>),
    /// An item that cannot be read, named by its key; only a person can mend it.
    Unreadable(String),
}

/// Finds what is due. `dynamodb:Query`.
pub trait FindDue {
    /// How far one walk over everything due has come; it begins with the default.
    type Walk: Default + Send;

    /// Gives up to `limit` more things that were due by `now`, the longest overdue first; none when the walk is over.
    ///
    /// A walk shows each of them once, also those that stay due because they cannot be ended.
    fn find_due(&self, now: Timestamp, limit: u32, walk: &mut Self::Walk) -> impl PortFuture<Vec<Due>>;
}

/// Puts events on the bus. `events:PutEvents`.
pub trait PublishEvent {
    /// Publishes one event. Publishing it again after a lost answer is what its id is for.
    fn publish_event(&self, entry: &OutboxEntry) -> impl PortFuture<()>;
}

/// Strikes published events off the outbox. `dynamodb:DeleteItem`.
pub trait ClearOutbox {
    /// Removes the entry; one that is gone already is removed.
    fn clear_outbox(&self, event: EventId) -> impl PortFuture<()>;
}

/// Puts a message on a queue. `sqs:SendMessage`.
pub trait SendMessage {
    /// Sends the text.
    fn send_message(&self, body: &str) -> impl PortFuture<()>;
}

/// Longest time for which a queue holds a message back. Source: Amazon SQS API reference, `SendMessage`, `DelaySeconds`.
pub const DELAY_MAX: Duration = Duration::from_mins(15);

/// Puts a message on a queue, to be received later. `sqs:SendMessage`.
pub trait SendLater {
    /// Sends the text, which nobody receives for so long: in whole seconds, rounded down, and [`DELAY_MAX`] at most.
    fn send_later(&self, body: &str, wait: Duration) -> impl PortFuture<()>;
}

/// Puts many messages on a queue, in batches. `sqs:SendMessage`.
pub trait SendMessages {
    /// Sends the texts, of at most some kilobytes each, in no particular order. After an error some may have been sent.
    fn send_messages(&self, bodies: &[String]) -> impl PortFuture<()>;
}

/// Reads what is known of a person. `dynamodb:GetItem`.
pub trait GetProfile {
    /// Gives the profile; of somebody never heard of, one that knows nothing.
    fn get_profile(&self, user: &UserId) -> impl PortFuture<Profile>;
}

/// Says whether a part of the stack answers. `dynamodb:GetItem` or `s3:ListBucket`.
pub trait Probe {
    /// Makes the smallest call there is.
    fn probe(&self) -> impl PortFuture<()>;
}
