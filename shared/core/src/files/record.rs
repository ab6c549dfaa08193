//! The record of a file.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Derivatives, Dimensions, FileName, Kind, MediaType, Metadata, ObjectKey, PartSession, Scan};
use crate::orders::PHOTO_MAX;
use crate::{Code, Fault, FileId, JobId, PublicId, Timestamp, UserId};

/// How long `sweep` waits after a grant's expiry or a deletion before it finishes what is left.
pub const SWEEP_MARGIN: Duration = Duration::from_mins(5);
/// The slowest upload for which `sweep` waits, in bytes a second.
///
/// A grant must be valid only when its upload begins. An upload of 5 GiB that begins in the last second may take six
/// hours.
const SLOWEST_UPLOAD: u64 = 250_000;
/// The slowest upload of an order's photo for which `sweep` waits, in bytes a second: a phone on a slow network.
const SLOWEST_PHOTO: u64 = 16_000;
/// How long the record of a deleted file is kept.
const TOMBSTONE_KEPT: Duration = Duration::from_hours(720);

/// The status of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Granted: the bytes are reserved, and the upload has not arrived.
    Pending,
    /// Arrived and checked, and waiting for the malware scan.
    Processing,
    /// Checked: may be read.
    Ready,
    /// Arrived with other content than declared. The object was removed.
    Rejected,
    /// Contains malware: cannot be read.
    Infected,
    /// Deleted by its owner. The object is being removed.
    Deleting,
    /// Removed. The record is kept for a while, so that a late event or a replayed grant finds that the file was
    /// deleted.
    Deleted,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Processing, Self::Ready, Self::Rejected, Self::Infected, Self::Deleting, Self::Deleted];

    /// Returns the name used in the table, in answers and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Infected => "infected",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Returns whether the owner still sees the file. A file that is being deleted is treated as if it did not exist.
    pub const fn is_visible(self) -> bool {
        !matches!(self, Self::Deleting | Self::Deleted)
    }
}

/// How the owner's ledger counts the `size` of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedgerState {
    /// Bytes reserved for a grant.
    Reserved,
    /// Bytes of a stored file.
    Kept,
    /// Not counted.
    Nothing,
}

impl LedgerState {
    /// Returns the name used in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Kept => "kept",
            Self::Nothing => "nothing",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Reserved, Self::Kept, Self::Nothing].into_iter().find(|ledger_state| ledger_state.name() == name)
    }
}

/// The one version of the object that belongs to a record.
///
/// Signed URLs name this version and deletion removes it. Its bytes count in the ledger until it is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// S3's id of the object version.
    pub version: String,
    /// S3's entity tag, without quotes.
    pub etag: String,
    /// The sequencer of the event that announced it; empty if it was found in another way.
    pub sequencer: String,
}

/// The record of a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its key in the bucket, which contains owner, kind and id.
    pub key: ObjectKey,
    /// The name its owner gave it.
    pub name: FileName,
    /// What the owner notes about it.
    pub metadata: Metadata,
    /// Its type, declared and then verified.
    pub media: &'static MediaType,
    /// Size in bytes: the granted size, and from `Ready` on the measured size.
    pub size: u64,
    /// What the ledger counts for it.
    pub ledger_state: LedgerState,
    /// SHA-256 of the content in base64, if the request for the grant had it. S3 then verifies it.
    pub sha256: Option<String>,
    /// Its current status, which each step changes.
    pub status: Status,
    /// When the upload was granted.
    pub granted_at: Timestamp,
    /// When the grant expires.
    pub grant_expires_at: Timestamp,
    /// When the status last changed.
    pub changed_at: Timestamp,
    /// The object version, once it has arrived.
    pub pinned: Option<Pinned>,
    /// Measured dimensions of an image or a video.
    pub dimensions: Option<Dimensions>,
    /// Dimensions that the generator of the file reported. They are shown if it could not be measured.
    pub reported: Option<Dimensions>,
    /// How long a video or a sound plays, in whole milliseconds, if it could be measured.
    pub duration: Option<Duration>,
    /// What was derived from it. `None` for a file that is no picture, has not arrived, or is older than derivatives.
    pub derivatives: Option<Derivatives>,
    /// Why it was rejected, or what malware it contains, as a sentence.
    pub rejected_reason: Option<String>,
    /// What is known of its malware scan.
    pub scan: Scan,
    /// The job it is delivered for, if any.
    pub job: Option<JobId>,
    /// The session of its upload, if it is uploaded in parts.
    pub parts: Option<PartSession>,
    /// The id of its public address, if its owner has published it.
    pub published: Option<PublicId>,
    /// Number of writes of this record. Each write is conditional on the revision that was read.
    pub revision: u64,
}

/// The shortest validity of a ticket.
pub const TICKET_MIN: Duration = Duration::from_secs(1);
/// The longest validity of a ticket.
pub const TICKET_MAX: Duration = Duration::from_hours(1);

/// Most tickets in one request: the files of one `BatchGetItem`.
pub const TICKETS_MAX: usize = 100;

/// A file that may be read: everything that a ticket is signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readable {
    /// Its key in the bucket.
    pub key: String,
    /// The name its owner gave it.
    pub name: FileName,
    /// Its media type, for the answer's header.
    pub media: &'static MediaType,
    /// The one version that may be read.
    pub version: String,
    /// How the caller wants a browser to treat the file, if they said so.
    pub asked: Option<Disposition>,
}

impl Readable {
    /// Returns how a browser should treat the file. A type that could run a script is never displayed, whatever was
    /// asked.
    pub fn disposition(&self) -> Disposition {
        if self.media.script_capable { Disposition::Attachment } else { self.asked.unwrap_or(Disposition::Inline) }
    }

    /// Returns the file under another name, for one ticket.
    ///
    /// # Errors
    /// Those of [`FileName::check_extension`].
    pub fn named(self, name: FileName) -> Result<Self, Fault> {
        name.check_extension(self.media)?;
        Ok(Self { name, ..self })
    }
}

/// How a browser should treat a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Disposition {
    Inline,
    Attachment,
}

impl Disposition {
    /// Returns the word that stands for it in `Content-Disposition`. Source: RFC 6266, section 4.2.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        }
    }
}

impl File {
    /// Creates the record of a file whose upload is granted now, for `valid`. Nothing is known of it but what was declared.
    pub fn granted(
        key: ObjectKey,
        name: FileName,
        media: &'static MediaType,
        size: u64,
        valid: Duration,
        now: Timestamp,
    ) -> Self {
        // No plan bounds an order's photos. The form does.
        let is_counted = key.owner().as_order().is_none();
        Self {
            key,
            name,
            metadata: Metadata::default(),
            media,
            size,
            ledger_state: if is_counted { LedgerState::Reserved } else { LedgerState::Nothing },
            sha256: None,
            status: Status::Pending,
            granted_at: now,
            grant_expires_at: now.plus(valid),
            changed_at: now,
            pinned: None,
            dimensions: None,
            reported: None,
            duration: None,
            derivatives: None,
            rejected_reason: None,
            scan: Scan::default(),
            job: None,
            parts: None,
            published: None,
            revision: 1,
        }
    }

    /// Returns the file's id.
    pub fn id(&self) -> FileId {
        self.key.file()
    }

    /// Returns the owner, from the key.
    pub fn owner(&self) -> &UserId {
        self.key.owner()
    }

    /// Returns the kind, from the key.
    pub fn kind(&self) -> Kind {
        self.key.kind()
    }

    /// Returns what a ticket is signed for.
    ///
    /// # Errors
    /// `NOT_READY` while the file has not arrived or is being checked; `FILE_REJECTED` with the reason if it was rejected;
    /// `FILE_INFECTED` if it contains malware; `NOT_FOUND` if it was deleted.
    pub fn readable(&self) -> Result<Readable, Fault> {
        match (self.status, &self.pinned) {
            (Status::Ready, Some(Pinned { version, .. })) => Ok(Readable {
                key: self.key.to_string(),
                name: self.name.clone(),
                media: self.media,
                version: version.clone(),
                asked: None,
            }),
            (Status::Pending | Status::Processing, _) => {
                Err(Fault::new(Code::NotReady, "file has not arrived or is being checked; try again later")
                    .detail("status", self.status.name())
                    .retry_after(Duration::from_secs(1)))
            }
            (Status::Infected, _) => Err(Fault::new(Code::FileInfected, "file contains malware and cannot be read")),
            (Status::Rejected, _) => Err(self.rejected()),
            (Status::Ready | Status::Deleting | Status::Deleted, _) => Err(Fault::not_found("File")),
        }
    }

    /// Returns the 409 of a rejected file, with the reason that its metadata shows.
    fn rejected(&self) -> Fault {
        let reason = self.rejected_reason.as_deref().unwrap_or("other content than declared");
        Fault::new(Code::FileRejected, format!("file was rejected: {reason}"))
            .detail("status", self.status.name())
            .detail("reason", reason)
    }

    /// Returns the record of a file that its owner deletes: marked, with its object still to be removed.
    #[must_use]
    pub fn deleting(&self, now: Timestamp) -> Self {
        Self { status: Status::Deleting, changed_at: now, revision: self.revision + 1, ..self.clone() }
    }

    /// Returns when `sweep` should finish the record unless another step does so before; `None` if nothing is left to
    /// finish.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.status {
            Status::Pending => Some(self.grant_expires_at.plus(self.upload_margin())),
            Status::Deleting => Some(self.changed_at.plus(SWEEP_MARGIN)),
            Status::Infected if self.has_infected_versions() => Some(self.changed_at.plus(SWEEP_MARGIN)),
            Status::Processing => self.scan_due_at(),
            _ => None,
        }
    }

    /// Returns how long after the grant's expiry its upload may still be under way.
    fn upload_margin(&self) -> Duration {
        match self.owner().as_order() {
            // The form allows more than the declared size.
            Some(_) => Duration::from_secs(PHOTO_MAX.div_ceil(SLOWEST_PHOTO)),
            None => upload_margin(self.bytes_of_a_request()),
        }
    }

    /// Returns when the table may delete the record.
    ///
    /// By then no grant for its key is valid, and no queue keeps an event about it (14 days).
    pub fn forget_at(&self) -> Option<Timestamp> {
        (self.status == Status::Deleted).then(|| self.changed_at.plus(TOMBSTONE_KEPT))
    }
}

/// Returns how long after the grant's expiry a request that uploads `size` bytes may still be under way.
fn upload_margin(size: u64) -> Duration {
    Duration::from_secs(size.div_ceil(SLOWEST_UPLOAD)).max(SWEEP_MARGIN)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn sweep_waits_longer_for_a_large_upload() {
        for (size, margin) in [
            (1, SWEEP_MARGIN),
            (75_000_000, SWEEP_MARGIN),
            (75_000_001, Duration::from_secs(301)),
            (5 << 30, Duration::from_secs(21_475)),
        ] {
            assert_eq!(upload_margin(size), margin, "{size} bytes");
        }
    }

    #[test]
    fn a_rejected_file_says_why_it_cannot_be_read() {
        let rejected = pending().reject("declared video/mp4, found text", Timestamp::from_secs(1_001)).file;
        let fault = rejected.readable().unwrap_err();
        assert_eq!((fault.code, fault.code.status()), (Code::FileRejected, 409));
        assert_eq!(fault.details["reason"], "declared video/mp4, found text");
        assert!(fault.headers.is_empty(), "a retry does not help");
    }

    #[test]
    fn a_file_that_is_being_checked_says_when_to_ask_again() {
        let fault = pending().readable().unwrap_err();
        assert_eq!((fault.code, fault.code.status()), (Code::NotReady, 409));
        assert_eq!(fault.headers, [("retry-after", "1".to_owned())]);
    }

    #[test]
    fn an_open_grant_is_due_once_its_upload_can_no_longer_be_under_way() {
        let (now, file) = (Timestamp::from_secs(1_000), pending());
        assert_eq!(file.due_at(), Some(now.plus(Duration::from_secs(15 * 60 + 21_475))));
        assert_eq!(file.deleting(now).due_at(), Some(now.plus(SWEEP_MARGIN)));
    }

    pub(in crate::files) fn pending() -> File {
        let key = ObjectKey::parse("user_ann1/videos/01M7YREWKH7VM7Z3Z2KWSH2FTR-film.mp4").unwrap();
        let (name, media) = (FileName::parse("film.mp4").unwrap(), MediaType::from_name("video/mp4").unwrap());
        File::granted(key, name, media, 5 << 30, Duration::from_mins(15), Timestamp::from_secs(1_000))
    }
}
