//! Ports: what AWS and other systems must do for this project. Each verb is a trait, and each trait names the IAM
//! actions it needs.
//!
//! So the trait bounds of a handler are its IAM policy. Every verb about a tenant's data takes the tenant, so that a
//! query without a tenant cannot be written. Errors are [`Fault`]s: an adapter returns `UNAVAILABLE` for failures worth
//! a retry and `INTERNAL` for others, with the cause for the log.

mod anomalies;
mod deletions;
mod deliveries;
mod derivatives;
mod exports;
mod gateway;
mod holds;
mod jobs;
mod keys;
mod mail;
mod maintenance;
mod members;
mod migrations;
mod operators;
mod orders;
mod parts;
mod people;
mod purchases;
mod reconcile;
mod stats;
mod texts;

pub use anomalies::*;
pub use deletions::*;
pub use deliveries::*;
pub use derivatives::*;
pub use exports::*;
pub use gateway::*;
pub use holds::*;
pub use jobs::*;
pub use keys::*;
pub use mail::*;
pub use maintenance::*;
pub use members::*;
pub use migrations::*;
pub use operators::*;
pub use orders::*;
pub use parts::*;
pub use people::*;
pub use purchases::*;
pub use reconcile::*;
pub use stats::*;
pub use texts::*;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use crate::credits::Hold;
use crate::deliveries::Delivery;
use crate::events::OutboxEntry;
use crate::files::{File, Grant, GrantOutcome, Kind, ObjectKey, Publication, Status, Transition, Usage};
use crate::idempotency::CommitOutcome;
use crate::jobs::Job;
use crate::orders::Order;
use crate::profiles::Profile;
use crate::rates::OverRate;
use crate::{EventId, Fault, FileId, Plan, PublicId, Timestamp, UserId};

/// The future of every port's method.
pub trait PortFuture<T>: Future<Output = Result<T, Fault>> + Send {}
impl<T, F: Future<Output = Result<T, Fault>> + Send> PortFuture<T> for F {}

/// Reserves bytes and records a pending file, in one transaction. If the grant crosses the mark of a nearly full
/// storage, the transaction also writes that event. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait GrantUpload {
    /// Grants the upload, or returns why not. Only `Granted` means that something was written.
    fn grant_upload(&self, grant: &Grant) -> impl PortFuture<GrantOutcome>;
}

/// Reads one file of a user. `dynamodb:GetItem`.
pub trait GetFile {
    /// Returns the record, including that of a deleted file, or `None` if there is none.
    fn get_file(&self, owner: &UserId, file: FileId) -> impl PortFuture<Option<File>>;
}

/// Reads several files of a user. `dynamodb:BatchGetItem`.
pub trait GetFiles {
    /// Returns the records that exist, including those of deleted files. Up to 100 are one call.
    fn get_files(&self, owner: &UserId, files: &BTreeSet<FileId>) -> impl PortFuture<BTreeMap<FileId, File>>;
}

/// Reads a user's ledger. `dynamodb:GetItem`.
pub trait GetUsage {
    /// Returns the ledger, which is empty for a user who has never written.
    fn get_usage(&self, owner: &UserId) -> impl PortFuture<Usage>;
}

/// A filter of a user's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only files of this status.
    pub status: Status,
    /// Only files of this kind, if set.
    pub kind: Option<Kind>,
}

/// A position in a list of files, newest first: the last file of the page before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the file's status last changed.
    pub changed_at: Timestamp,
    /// Id of the file.
    pub file: FileId,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// At most `limit` files, newest first.
    pub files: Vec<File>,
    /// Where the next page starts, if there is one.
    pub next: Option<Position>,
}

/// Lists a user's files, newest first. `dynamodb:Query`.
pub trait ListFiles {
    /// Returns a page of at most `limit` files after a position. It is shorter, and the list continues, if the records of
    /// the page are more than 1 MB.
    fn list_files(&self, owner: &UserId, filter: Filter, limit: u32, after: Option<&Position>)
    -> impl PortFuture<Page>;

    /// Counts the files of a filter, for filters whose files the ledger does not count.
    fn count_files(&self, owner: &UserId, filter: Filter) -> impl PortFuture<u64>;

    /// Counts the stored files, of one kind or of all, that are being deleted. The ledger still counts them.
    fn count_deleting(&self, owner: &UserId, kind: Option<Kind>) -> impl PortFuture<u64>;
}

/// A change of a file's record that its owner asks for.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// The record after the change, with its new revision.
    pub file: File,
    /// The plan whose rate limit applies.
    pub plan: Plan,
    /// When the change was asked for.
    pub now: Timestamp,
}

/// The outcome of a change of a file. Only `Applied` means that something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChangeOutcome {
    /// The record is changed, and the write is counted.
    Applied,
    /// The record has changed since it was read.
    Conflict,
    /// The rate window has no writes left.
    OverRate(OverRate),
}

/// Changes a file's record and counts the write, in one transaction, on condition that the owner's account is open.
/// `dynamodb:ConditionCheckItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ChangeFile {
    /// Writes the record if its revision is still the one before that of `change.file`.
    fn change_file(&self, change: &FileChange) -> impl PortFuture<FileChangeOutcome>;
}

/// Publishes a file or ends its public address: record, address, counted write and outbox in one transaction, on condition
/// that the owner's account is open. `dynamodb:ConditionCheckItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait PublishFile {
    /// Applies the change if the record's revision is still the one before that of `change.file`. `plan` is the plan whose
    /// rate limit applies.
    fn publish_file(&self, change: &Publication, plan: Plan, now: Timestamp) -> impl PortFuture<FileChangeOutcome>;
}

/// Finds the file of a public address. `dynamodb:GetItem`.
pub trait GetPublished {
    /// Returns owner and id of the file that had the address last. Whether it still has, its record says.
    fn get_published(&self, id: PublicId) -> impl PortFuture<Option<(UserId, FileId)>>;
}

/// Makes the CDN forget what it keeps. `cloudfront:CreateInvalidation`.
pub trait InvalidatePaths {
    /// Starts to forget what is kept at these paths. An asterisk at the end of a path stands for any rest. A second call
    /// with the same name and paths changes nothing.
    fn invalidate_paths(&self, name: &str, paths: &[String]) -> impl PortFuture<()>;
}

/// Marks a user's file as being deleted. `dynamodb:UpdateItem`.
pub trait BeginDelete {
    /// Marks the file and returns the marked record, or `None` if the owner has no such visible file.
    ///
    /// If several callers ask at once, exactly one gets the record, even if it had to retry because the first answer
    /// was lost.
    fn begin_delete(&self, key: &ObjectKey, now: Timestamp) -> impl PortFuture<Option<File>>;
}

/// Applies a file's step: record, ledger and outbox in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ApplyTransition {
    /// Applies the step. Returns `Conflict` if the record has changed since it was read.
    fn apply_transition(&self, step: &Transition) -> impl PortFuture<CommitOutcome>;
}

/// Removes one version of an object for good. `s3:DeleteObjectVersion`.
pub trait RemoveVersion {
    /// Removes the version. Succeeds if it does not exist.
    fn remove_version(&self, key: &str, version: &str) -> impl PortFuture<()>;
}

/// Lists the versions of one object. `s3:ListBucketVersions`.
pub trait ListVersions {
    /// Returns the ids of all versions and delete markers of exactly this key, newest first.
    fn list_versions(&self, key: &str) -> impl PortFuture<Vec<String>>;
}

/// What the bucket contains under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectHead {
    /// S3's id of the version.
    pub version: String,
    /// Entity tag, without quotes.
    pub etag: String,
    /// Size of the whole object in bytes.
    pub size: u64,
    /// The first bytes of the object.
    pub bytes: Vec<u8>,
}

/// Reads the start of an object. `s3:GetObject`, `s3:GetObjectVersion`, `s3:ListBucket` (without the last one, S3
/// answers 403 for a missing key).
pub trait ReadHead {
    /// Reads at most `length` bytes of a version, or of the current one. Returns `None` if it does not exist.
    fn read_head(&self, key: &str, version: Option<&str>, length: u64) -> impl PortFuture<Option<ObjectHead>>;
}

/// Reads a part of an object. `s3:GetObject`, `s3:GetObjectVersion`, `s3:ListBucket`.
pub trait ReadRange {
    /// Reads at most `length` bytes of a version, from the byte `from` on. Returns `None` if it does not exist, or ends
    /// before.
    fn read_range(&self, key: &str, version: &str, from: u64, length: u64) -> impl PortFuture<Option<Vec<u8>>>;
}

/// Something that is due, as `sweep` finds it.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// A grant that has expired, or a deletion that was not finished.
    File(Box<File>),
    /// An event that was not published.
    Event(OutboxEntry),
    /// A job that was not delivered in time.
    Job(Box<Job>),
    /// An order whose photos did not come in time.
    Order(Box<Order>),
    /// A hold that was not resolved in time.
    Hold(Box<Hold>),
    /// A delivery whose next attempt is due, and for which no message is on its way.
    Delivery(Box<Delivery>),
    /// The partition key of an item that cannot be parsed. A person must repair it.
    Unreadable(String),
}

/// Finds due things. `dynamodb:Query`.
pub trait FindDue {
    /// The position of one walk over everything that is due. The default is the start.
    type Walk: Default + Send;

    /// Returns up to `limit` more things that are due by `now`, the longest overdue first. Returns an empty list at the
    /// end of the walk.
    ///
    /// A walk returns each thing at most once, even if it stays due because finishing it failed.
    fn find_due(&self, now: Timestamp, limit: u32, walk: &mut Self::Walk) -> impl PortFuture<Vec<Due>>;
}

/// Publishes events on the bus. `events:PutEvents`.
pub trait PublishEvent {
    /// Publishes one event. After a lost answer it may be published again; consumers deduplicate by its id.
    fn publish_event(&self, entry: &OutboxEntry) -> impl PortFuture<()>;
}

/// Deletes published events from the outbox. `dynamodb:DeleteItem`.
pub trait ClearOutbox {
    /// Deletes the entry. Succeeds if it does not exist.
    fn clear_outbox(&self, event: EventId) -> impl PortFuture<()>;
}

/// Sends a message to a queue. `sqs:SendMessage`.
pub trait SendMessage {
    /// Sends a message with this body.
    fn send_message(&self, body: &str) -> impl PortFuture<()>;
}

/// Longest delay of a message. Source: Amazon SQS API reference, `SendMessage`, `DelaySeconds`.
pub const DELAY_MAX: Duration = Duration::from_mins(15);

/// Sends a message to a queue, to be received later. `sqs:SendMessage`.
pub trait SendLater {
    /// Sends a message that is not received before `wait` has passed. `wait` is rounded down to whole seconds and cut
    /// to [`DELAY_MAX`].
    fn send_later(&self, body: &str, wait: Duration) -> impl PortFuture<()>;
}

/// Sends many messages to a queue, in batches. `sqs:SendMessage`.
pub trait SendMessages {
    /// Sends messages of at most a few kilobytes each, in no particular order. After an error, some may have been sent.
    fn send_messages(&self, bodies: &[String]) -> impl PortFuture<()>;
}

/// Reads a person's profile. `dynamodb:GetItem`.
pub trait GetProfile {
    /// Returns the profile, which is empty for an unknown person.
    fn get_profile(&self, user: &UserId) -> impl PortFuture<Profile>;
}

/// Reads several people's profiles. `dynamodb:BatchGetItem`.
pub trait GetProfiles {
    /// Returns the profiles of those who are known. Up to 100 are one call.
    fn get_profiles(&self, users: &BTreeSet<UserId>) -> impl PortFuture<BTreeMap<UserId, Profile>>;
}

/// Checks that a part of the stack answers. `dynamodb:GetItem` or `s3:ListBucket`.
pub trait Probe {
    /// Makes the smallest possible call.
    fn probe(&self) -> impl PortFuture<()>;
}
