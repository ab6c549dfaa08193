//! How a file moves: each step computes the record after it, what the ledger gains or loses, and the event it tells.
//!
//! The steps are pure. The table applies one as a single transaction, on condition that the record still has the
//! revision the step was computed from; that is what makes every step happen at most once, however often it is tried.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dimensions, File, Kind, LedgerState, Pinned, Status};
use crate::Timestamp;
use crate::events::{Event, EventData, FileDeleted, FileFacts, FileReady, FileRejected};
use crate::jobs::JobStep;

/// One step of a file, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// The revision the record must still have.
    pub seen: u64,
    /// The record after the step.
    pub file: File,
    /// What the step does to the owner's ledger.
    pub ledger: LedgerDelta,
    /// What the step tells the world.
    pub event: Event,
    /// What follows from it for the job the file is delivered for.
    pub job: Option<Box<JobStep>>,
}

/// What a step adds to the owner's ledger; negative where it gives back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerDelta {
    /// To `committed`.
    pub committed: i64,
    /// To `reserved`.
    pub reserved: i64,
    /// To the kept files of the file's kind.
    pub files: i64,
    /// To the kept bytes of the file's kind.
    pub bytes: i64,
}

impl LedgerDelta {
    /// Gives what turns the ledger's holding for `before` into its holding for `after`.
    fn between(before: &File, after: &File) -> Self {
        let (taken, given) = (Self::of(after), Self::of(before));
        Self {
            committed: taken.committed - given.committed,
            reserved: taken.reserved - given.reserved,
            files: taken.files - given.files,
            bytes: taken.bytes - given.bytes,
        }
    }

    /// Gives what the ledger holds for a record.
    pub fn of(file: &File) -> Self {
        let size = i64::try_from(file.size).unwrap_or(i64::MAX);
        match file.ledger_state {
            LedgerState::Reserved => Self { committed: size, reserved: size, files: 0, bytes: 0 },
            LedgerState::Kept => Self { committed: size, reserved: 0, files: 1, bytes: size },
            LedgerState::Nothing => Self::default(),
        }
    }
}

/// An upload as it was found in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The version found.
    pub pinned: Pinned,
    /// Its size in bytes.
    pub size: u64,
    /// Its dimensions, when it is an image that could be measured.
    pub dimensions: Option<Dimensions>,
}

/// What an "object created" event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCreated {
    /// The upload a pending record waits for: look at it.
    Check,
    /// The version the record already stands for: nothing.
    Ignore,
    /// A grant replayed after the fact, or a rejected upload whose removal was interrupted: remove that version.
    RemoveVersion,
}

/// Why a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Removal {
    /// Its object is gone, by its owner, a lifecycle rule or a person.
    Deleted,
    /// Its grant ran out unused.
    Expired,
}

impl File {
    /// Says what an "object created" event for this key asks for.
    pub fn on_created(&self, version: &str) -> OnCreated {
        match self.keeps() {
            Some(pinned) if pinned.version == version => OnCreated::Ignore,
            None if self.status == Status::Pending => OnCreated::Check,
            _ => OnCreated::RemoveVersion,
        }
    }

    /// Says whether an "object deleted" event for this key ends the record.
    ///
    /// A pending record is ended by any removal: the deletion has overtaken the creation it follows. A pinned one only
    /// by the removal of its own version, told by an event younger than the one that announced it.
    pub fn ends_with(&self, version: &str, sequencer: &str) -> bool {
        match self.keeps() {
            Some(pinned) => pinned.version == version && !older(sequencer, &pinned.sequencer),
            None => self.status == Status::Pending,
        }
    }

    /// Gives the version the bucket should hold for this record, if any.
    pub fn keeps(&self) -> Option<&Pinned> {
        match self.status {
            Status::Processing | Status::Ready | Status::Deleting | Status::Infected => self.pinned.as_ref(),
            Status::Pending | Status::Rejected | Status::Deleted => None,
        }
    }

    /// Settles a pending file: its bytes are kept, at their true size.
    pub fn accept(&self, arrival: Arrival, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Ready;
            file.size = arrival.size;
            file.ledger_state = LedgerState::Kept;
            file.pinned = Some(arrival.pinned);
            file.dimensions = arrival.dimensions;
        };
        self.step(now, change, |file| EventData::FileReady(FileReady { file }))
    }

    /// Rejects a pending file: its bytes are given back; the caller removes the version.
    pub fn reject(&self, reason: &str, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Rejected;
            file.ledger_state = LedgerState::Nothing;
            file.rejected_reason = Some(reason.to_owned());
        };
        self.step(now, change, |file| EventData::FileRejected(FileRejected { file, reason: reason.to_owned() }))
    }

    /// Ends a file: whatever the ledger still holds for it is given back.
    pub fn remove(&self, why: Removal, now: Timestamp) -> Transition {
        let change = |file: &mut Self| {
            file.status = Status::Deleted;
            file.ledger_state = LedgerState::Nothing;
        };
        self.step(now, change, |file| EventData::FileDeleted(FileDeleted { file, cause: why }))
    }

    fn step(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut Self),
        event: impl FnOnce(FileFacts) -> EventData,
    ) -> Transition {
        let mut file = self.clone();
        change(&mut file);
        file.changed_at = now;
        file.revision += 1;
        let ledger = LedgerDelta::between(self, &file);
        let event = Event::new(now, event(file.facts()));
        Transition { seen: self.revision, file, ledger, event, job: None }
    }

    /// Returns what every event about a file says of it.
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
        }
    }
}

impl LedgerDelta {
    /// Applies the delta to a ledger, for models and fakes; the table does the same by `ADD`.
    ///
    /// # Panics
    /// Panics when a count would fall below nothing, which a test must not let pass.
    pub fn apply(self, usage: &mut super::Usage, kind: Kind) {
        let add = |name: &str, value: &mut u64, delta: i64| match value.checked_add_signed(delta) {
            Some(sum) => *value = sum,
            None => panic!("{name} would fall below nothing: {value} and {delta}"),
        };
        let of_kind = &mut usage.by_kind[kind as usize];
        add("committed", &mut usage.committed, self.committed);
        add("reserved", &mut usage.reserved, self.reserved);
        add("files", &mut of_kind.files, self.files);
        add("bytes", &mut of_kind.bytes, self.bytes);
    }
}

/// Says whether event `a` happened before event `b` of the same key.
///
/// The shorter sequencer is padded with zeros on the right, then both are compared as text. Source: Amazon S3 user
/// guide, "Event ordering and duplicate events".
fn older(a: &str, b: &str) -> bool {
    let digit = |text: &str, at: usize| text.as_bytes().get(at).map_or(b'0', u8::to_ascii_uppercase);
    (0..a.len().max(b.len())).map(|at| (digit(a, at), digit(b, at))).find(|(a, b)| a != b).is_some_and(|(a, b)| a < b)
}

#[cfg(test)]
mod tests;
