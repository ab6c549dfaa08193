//! The record of a job.

use std::time::Duration;

use super::{Ask, JobId, TextFacts};
use crate::events::{Event, EventData, JobRequested};
use crate::files::{Dimensions, File, FileName, Kind, MediaType, ObjectKey, Readable};
use crate::idempotency::IdempotentRequest;
use crate::periods::Month;
use crate::profiles::Sighting;
use crate::rates::{OverRate, Rate};
use crate::{Code, Fault, FileId, Plan, Timestamp, UserId};

/// How long `sweep` waits after a job's deadline before it ends the job.
const MARGIN: Duration = Duration::from_mins(1);
/// How long the files of an accepted completion may take to arrive and be checked. It is longer than a grant is valid.
const CHECKED_WITHIN: Duration = Duration::from_hours(1);
/// How long the record of an ended job is kept.
const KEPT: Duration = Duration::from_hours(24 * 400);

/// The status of a job. The last two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Accepted. No generator has started yet.
    Pending,
    /// A generator is at work.
    Processing,
    /// Delivered: all files of the completion are ready.
    Completed,
    /// Not delivered, and never will be. The allowance is given back, unless the owner has deleted an output that was
    /// ready, or has cancelled more jobs in the day than give it back.
    Failed,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Processing, Self::Completed, Self::Failed];

    /// Returns the name used in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Returns whether a job of this status never changes again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A file that a generator delivers for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its key, under the prefix of the job's owner.
    pub key: ObjectKey,
    /// Its file name, as the generator gave it.
    pub name: FileName,
    /// Its media type, as the generator gave it.
    pub media: &'static MediaType,
    /// Size in bytes: the granted size, and once ready the measured size.
    pub size: u64,
    /// Measured dimensions of an image or a video.
    pub dimensions: Option<Dimensions>,
    /// Dimensions as the completion gives them. They are shown if the file could not be measured.
    pub reported: Option<Dimensions>,
    /// The version that may be read, once the file is ready.
    pub version: Option<String>,
    /// Whether the completion lists it.
    pub claimed: bool,
    /// Length of a video in seconds, as the completion gives it. It is not measured here.
    pub duration_seconds: Option<u32>,
}

impl Output {
    /// Returns the output for a file's record.
    pub fn of(file: &File) -> Self {
        let mut output = Self {
            key: file.key.clone(),
            name: file.name.clone(),
            media: file.media,
            size: file.size,
            dimensions: None,
            reported: None,
            version: None,
            claimed: false,
            duration_seconds: None,
        };
        output.update_from(file);
        output
    }

    /// Updates size, dimensions and version from the file's record, if the file is ready.
    pub(super) fn update_from(&mut self, file: &File) {
        if let Ok(Readable { version, .. }) = file.readable() {
            (self.size, self.dimensions, self.version) = (file.size, file.dimensions, Some(version));
        }
    }

    /// Returns what a ticket is signed for, or `None` before the file is ready.
    pub fn readable(&self) -> Option<Readable> {
        let version = self.version.clone()?;
        Some(Readable { key: self.key.to_string(), name: self.name.clone(), media: self.media, version, asked: None })
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Code that programs branch on.
    pub code: String,
    /// Sentence for the owner.
    pub message: String,
}

/// The record of a user's job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id, which contains the owner.
    pub id: JobId,
    /// The kind of file to generate.
    pub kind: Kind,
    /// What the owner requested.
    pub ask: Ask,
    /// The owner's plan when the job was accepted. Its limits apply to the delivered files.
    pub plan: Plan,
    /// Its current status, which each step may change.
    pub status: JobStatus,
    /// Progress in percent, which never falls.
    pub progress: u8,
    /// When it was accepted. The allowance of this month pays for it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it fails unless a completion is accepted before.
    pub deadline: Timestamp,
    /// Files granted to the generator, and files that the completion lists.
    pub outputs: Vec<Output>,
    /// When its completion was accepted.
    pub claimed_at: Option<Timestamp>,
    /// The completion's data about a text.
    pub text: Option<TextFacts>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// Whether the allowance stays spent even if it fails.
    pub spent: bool,
    /// Whether the file of a completed text is gone. Lists of texts leave the job out then.
    pub text_gone: bool,
    /// Number of writes of this record. Each write is conditional on the revision that was read.
    pub revision: u64,
}

impl Job {
    /// Creates the job of an accepted request.
    pub fn accept(owner: &UserId, plan: Plan, kind: Kind, ask: Ask, now: Timestamp) -> Self {
        Self {
            id: JobId::mint(owner, now),
            kind,
            ask,
            plan,
            status: JobStatus::Pending,
            progress: 0,
            created_at: now,
            updated_at: now,
            deadline: now.plus(time_allowed(kind)),
            outputs: Vec::new(),
            claimed_at: None,
            text: None,
            failure: None,
            spent: false,
            text_gone: false,
            revision: 1,
        }
    }

    /// Returns the owner, from the id.
    pub fn owner(&self) -> &UserId {
        self.id.owner()
    }

    /// Returns the month whose allowance pays for it.
    pub fn month(&self) -> Month {
        Month::of(self.created_at)
    }

    /// Returns when `sweep` should fail the job unless it ends before; `None` if it has ended. An accepted completion
    /// gets time for the check of its files, beyond the deadline if needed.
    pub fn due_at(&self) -> Option<Timestamp> {
        let checked = self.claimed_at.map_or(self.deadline, |at| at.plus(CHECKED_WITHIN));
        (!self.status.is_final()).then(|| self.deadline.max(checked).plus(MARGIN))
    }

    /// Returns when the table may delete the record.
    pub fn forget_at(&self) -> Option<Timestamp> {
        self.status.is_final().then(|| self.updated_at.plus(KEPT))
    }

    /// Returns whether its owner sees it in the list of finished books or articles.
    pub fn is_finished_text(&self) -> bool {
        self.status == JobStatus::Completed && matches!(self.kind, Kind::Book | Kind::Blog) && !self.text_gone
    }

    /// Returns the outputs that the completion lists, in the order of the completion.
    pub fn delivered(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter().filter(|output| output.claimed)
    }

    /// Finds the output for a file.
    pub fn output(&self, file: FileId) -> Option<&Output> {
        self.outputs.iter().find(|output| output.key.file() == file)
    }

    /// Returns its status as a sentence.
    pub fn message(&self) -> String {
        match (self.status, &self.failure) {
            (JobStatus::Pending, _) => "Waiting for a generator".to_owned(),
            (JobStatus::Processing, _) => "Generation is under way".to_owned(),
            (JobStatus::Completed, _) => "Generation is complete".to_owned(),
            (JobStatus::Failed, failure) => {
                failure.as_ref().map_or_else(|| "Generation failed".to_owned(), |failure| failure.message.clone())
            }
        }
    }

    /// Returns the event that requests the job from generators. `base` is the public address of the API.
    ///
    /// The event contains no upload grants. Once a generator knows an output's size, it requests the grant at
    /// `uploads_url`.
    pub fn requested(&self, base: &str) -> Event {
        let requested = JobRequested {
            job_id: self.id.clone(),
            user_id: self.owner().clone(),
            kind: self.kind,
            ask: self.ask.clone(),
            uploads_url: format!("{base}/api/webhooks/jobs/{}/uploads", self.id),
            callback_url: format!("{base}/api/webhooks/{}-completion", completion(self.kind)),
            deadline: self.deadline,
        };
        Event::new(self.created_at, EventData::JobRequested(requested))
    }
}

/// Returns the name of a job's completion webhook in its URL.
fn completion(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "image",
        Kind::Video => "video",
        Kind::Book | Kind::Blog | Kind::Document | Kind::Audio => "text",
    }
}

/// Returns how long a generator may take for a job of a kind.
fn time_allowed(kind: Kind) -> Duration {
    match kind {
        Kind::Image | Kind::Blog | Kind::Document | Kind::Audio => Duration::from_hours(1),
        Kind::Video => Duration::from_hours(3),
        Kind::Book => Duration::from_hours(12),
    }
}

/// A job to create. The record, the allowance and the event are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The job to record.
    pub job: Job,
    /// The event that requests the job from generators.
    pub event: Event,
    /// The owner's contact details from their token.
    pub seen: Option<Sighting>,
    /// The request with its idempotency key, if there is one.
    pub idempotent: Option<IdempotentRequest>,
}

impl NewJob {
    /// The rates at which a request counts.
    pub const RATES: &[Rate] = &[Rate::Writes, Rate::Jobs];
}

/// The outcome of a request for a job. Only `Accepted` means that something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The job is recorded.
    Accepted,
    /// The same request was accepted before, as the job with this id.
    Replayed(String),
    /// The idempotency key was used with a different request.
    KeyReused,
    /// The month's allowance is used up.
    Spent,
    /// The plan allows no more requests, or no more writes, in this minute.
    OverRate(OverRate),
}

/// Returns the 429 for a used-up allowance. It says when the next month begins.
pub fn allowance_spent(plan: Plan, kind: Kind, now: Timestamp) -> Fault {
    let (limit, resets_at) = (plan.generations(kind), Month::of(now).ends());
    let class = completion(kind);
    Fault::new(
        Code::GenerationQuotaExceeded,
        format!("Your plan allows {limit} {class} generations a month; try again at {resets_at}"),
    )
    .limited(limit.into(), resets_at, now)
}
