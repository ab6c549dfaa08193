//! Steps of a file. Each has the record after the step, the change of the ledger, and the event that announces it.
//!
//! Steps are pure functions. The table applies one as a single transaction, on condition that the record still has the
//! revision from which the step was computed. So each step is applied at most once, even if it is tried repeatedly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Derivatives, File, Kind, LedgerState, Measured, Pinned, Status};
use crate::Timestamp;
use crate::events::{Event, EventData, FileDeleted, FileFacts, FileReady, FileRejected};
use crate::jobs::JobStep;
use crate::orders::OrderStep;

/// One step of a file, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The revision that the record must still have.
    pub seen: u64,
    /// The record after the step.
    pub file: File,
    /// The change of the owner's ledger.
    pub ledger: LedgerDelta,
    /// The event that announces the step, unless nobody needs to know of it.
    pub event: Option<Event>,
    /// The step of the job for which the file is delivered, if it is for one.
    pub job: Option<Box<JobStep>>,
    /// The step of the order whose photo it is, if it is one.
    pub order: Option<Box<OrderStep>>,
}

/// A change of the owner's ledger. Negative numbers release bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerDelta {
    /// Change of `committed`, in bytes.
    pub committed: i64,
    /// Change of `reserved`, in bytes.
    pub reserved: i64,
    /// Change of the number of stored files of the file's kind.
    pub files: i64,
    /// Change of the stored bytes of the file's kind.
    pub bytes: i64,
}

impl LedgerDelta {
    /// Returns the change of the ledger when a record changes from `before` to `after`.
    fn between(before: &File, after: &File) -> Self {
        let (taken, given) = (Self::of(after), Self::of(before));
        Self {
            committed: taken.committed - given.committed,
            reserved: taken.reserved - given.reserved,
            files: taken.files - given.files,
            bytes: taken.bytes - given.bytes,
        }
    }

    /// Returns what the ledger counts for a record.
    pub fn of(file: &File) -> Self {
        let size = i64::try_from(file.size).unwrap_or(i64::MAX);
        match file.ledger_state {
            LedgerState::Reserved => Self { committed: size, reserved: size, files: 0, bytes: 0 },
            LedgerState::Kept => Self { committed: size, reserved: 0, files: 1, bytes: size },
            LedgerState::Nothing => Self::default(),
        }
    }
}

/// An upload as found in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The object version that was found.
    pub pinned: Pinned,
    /// Its size in bytes.
    pub size: u64,
    /// What could be measured of an image, a video or a sound.
    pub measured: Measured,
}

/// What an "object created" event requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCreated {
    /// Inspect the upload: a pending record waits for it.
    Check,
    /// Do nothing: the record already has this version.
    Ignore,
    /// Remove this version: the grant was used a second time, or the removal of a rejected upload was interrupted.
    RemoveVersion,
}

/// Why a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Removal {
    /// Its object was deleted, by its owner, a lifecycle rule or an operator.
    Deleted,
    /// Its grant expired unused.
    Expired,
}

impl File {
    /// Returns what an "object created" event for this key requires.
    pub fn on_created(&self, version: &str) -> OnCreated {
        match self.keeps() {
            Some(pinned) if pinned.version == version => OnCreated::Ignore,
            None if self.status == Status::Pending => OnCreated::Check,
            _ => OnCreated::RemoveVersion,
        }
    }

    /// Returns whether an "object deleted" event for this key ends the record.
    ///
    /// Any deletion ends a pending record, because the "object created" event may still follow. A record with a version
    /// is not ended by the deletion of another version, nor by an event that is older than the one that announced its
    /// version.
    pub fn ends_with(&self, version: &str, sequencer: &str) -> bool {
        match self.keeps() {
            Some(pinned) => pinned.version == version && !older(sequencer, &pinned.sequencer),
            None => self.status == Status::Pending,
        }
    }

    /// Returns the version that the bucket should contain for this record, if any.
    pub fn keeps(&self) -> Option<&Pinned> {
        match self.status {
            Status::Processing | Status::Ready | Status::Deleting => self.pinned.as_ref(),
            Status::Pending | Status::Rejected | Status::Infected | Status::Deleted => None,
        }
    }

    /// Accepts the upload of a pending file. Its measured size counts as stored from now on.
    pub fn accept(&self, arrival: Arrival, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Ready;
            file.size = arrival.size;
            file.ledger_state = LedgerState::Kept;
            file.pinned = Some(arrival.pinned);
            file.dimensions = arrival.measured.dimensions;
            file.duration = arrival.measured.duration;
            file.derivatives = Derivatives::of_new(file.media);
        };
        self.step(now, change, |file| EventData::FileReady(FileReady { file }))
    }

    /// Rejects the upload of a pending file and releases its bytes. The caller must remove the version.
    pub fn reject(&self, reason: &str, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Rejected;
            file.ledger_state = LedgerState::Nothing;
            file.rejected_reason = Some(reason.to_owned());
        };
        self.step(now, change, |file| EventData::FileRejected(FileRejected { file, reason: reason.to_owned() }))
    }

    /// Ends a file and releases the bytes that the ledger still counts for it.
    pub fn remove(&self, why: Removal, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Deleted;
            file.ledger_state = LedgerState::Nothing;
        };
        self.step(now, change, |file| EventData::FileDeleted(FileDeleted { file, cause: why }))
    }

    /// Marks a file as deleted, in a transaction with other writes. `sweep` then finishes its deletion.
    pub fn discard(&self, now: Timestamp) -> Transition {
        self.becomes(self.deleting(now), now, |_| None)
    }

    /// Extends the grant of a pending file, because a form for it was signed anew. The key stays, so an upload with an earlier
    /// form counts too.
    pub fn renew_grant(&self, until: Timestamp, now: Timestamp) -> Transition {
        let renewed = Self { grant_expires_at: self.grant_expires_at.max(until), ..self.clone() };
        self.becomes(renewed, now, |_| None)
    }

    /// Returns the step that rejects an upload which its order no longer waits for, instead of `step`. The caller must
    /// remove the version.
    pub fn reject_unasked(step: Transition, now: Timestamp) -> Transition {
        let mut before = Self { status: Status::Pending, revision: step.seen, pinned: None, ..step.file };
        (before.derivatives, before.scan.state) = (None, None);
        before.reject("the order does not wait for it", now)
    }

    fn step(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Self),
        event: impl FnOnce(FileFacts) -> EventData,
    ) -> Transition {
        let mut file = self.clone();
        change(&mut file);
        self.becomes(file, now, |facts| Some(event(facts)))
    }

    /// Returns the step that makes `file` of this record. Only a step that is announced or changes the status changes when
    /// the file was last modified.
    pub(super) fn becomes(
        &self,
        mut file: Self,
        now: Timestamp,
        event: impl FnOnce(FileFacts) -> Option<EventData>,
    ) -> Transition {
        if file.owner().as_order().is_some() {
            // No plan bounds an order's photos. The form does.
            file.ledger_state = LedgerState::Nothing;
        }
        let event = event(file.facts()).map(|data| Event::new(now, data));
        file.changed_at = if event.is_some() || file.status != self.status { now } else { self.changed_at };
        file.revision = self.revision + 1;
        let ledger = LedgerDelta::between(self, &file);
        Transition { seen: self.revision, file, ledger, event, job: None, order: None }
    }

    /// Returns the data that every event about a file contains.
    pub fn facts(&self) -> FileFacts {
        FileFacts {
            user_id: self.owner().clone(),
            file_id: self.id(),
            s3_key: self.key.clone(),
            filename: self.name.as_str().to_owned(),
            kind: self.kind(),
            content_type: self.media.name.to_owned(),
            size: self.size,
            width: self.dimensions.map(|dimensions| dimensions.width),
            height: self.dimensions.map(|dimensions| dimensions.height),
            job_id: self.job.clone(),
            public_id: self.published,
        }
    }
}

impl LedgerDelta {
    /// Applies the change to a ledger in memory, for tests. The table does the same with `ADD`.
    ///
    /// # Panics
    /// Panics if a count would become negative, so that the test fails.
    pub fn apply(self, usage: &mut super::Usage, kind: Kind) {
        let add = |name: &str, value: &mut u64, delta: i64| match value.checked_add_signed(delta) {
            Some(sum) => *value = sum,
            None => panic!("{name} would become negative: {value} and {delta}"),
        };
        let of_kind = &mut usage.by_kind[kind as usize];
        add("committed", &mut usage.committed, self.committed);
        add("reserved", &mut usage.reserved, self.reserved);
        add("files", &mut of_kind.files, self.files);
        add("bytes", &mut of_kind.bytes, self.bytes);
    }
}

/// Returns whether event `a` happened before event `b` of the same key.
///
/// The shorter sequencer is padded with zeros on the right, then both are compared as text. Source: Amazon S3 user
/// guide, "Event ordering and duplicate events".
fn older(a: &str, b: &str) -> bool {
    let digit = |text: &str, at: usize| text.as_bytes().get(at).map_or(b'0', u8::to_ascii_uppercase);
    (0..a.len().max(b.len())).map(|at| (digit(a, at), digit(b, at))).find(|(a, b)| a != b).is_some_and(|(a, b)| a < b)
}

#[cfg(test)]
mod tests;
