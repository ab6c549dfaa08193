//! The record of one job.

use std::time::Duration;

use super::{Ask, JobId, TextFacts};
use crate::events::{Event, EventData, JobRequested};
use crate::files::{Dimensions, File, FileName, Kind, MediaType, ObjectKey, Readable};
use crate::idempotency::IdempotentRequest;
use crate::periods::Month;
use crate::profiles::Sighting;
use crate::{Code, Fault, FileId, Plan, Timestamp, UserId};

/// How long after its deadline a job is left to its generator, before `sweep` ends it.
const MARGIN: Duration = Duration::from_mins(1);
/// How long the files of an accepted completion may take to arrive and to be checked: longer than grants are valid.
const CHECKED_WITHIN: Duration = Duration::from_hours(1);
/// How long the record of a job that has ended stays.
const KEPT: Duration = Duration::from_hours(24 * 400);

/// Where a job stands. The last two are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobStatus {
    /// Accepted; no generator has shown itself.
    Pending,
    /// A generator is at work on it.
    Processing,
    /// Delivered.
    Completed,
    /// Not delivered, and never will be; the allowance is given back unless the owner has had some of it.
    Failed,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Processing, Self::Completed, Self::Failed];

    /// Gives the name used in the table and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Says whether a job of this status never changes again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

/// A file a generator delivers for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its key, under the prefix of the job's owner.
    pub key: ObjectKey,
    /// Its name.
    pub name: FileName,
    /// Its type.
    pub media: &'static MediaType,
    /// Bytes: as granted, and as measured from when it is ready on.
    pub size: u64,
    /// Measured dimensions of an image.
    pub dimensions: Option<Dimensions>,
    /// The version that may be read, once the file is ready.
    pub version: Option<String>,
    /// Whether the completion names it.
    pub claimed: bool,
    /// How long it plays, in seconds, as the completion says; nothing here measures videos.
    pub duration_seconds: Option<u32>,
}

impl Output {
    /// Makes the output a file stands for.
    pub fn of(file: &File) -> Self {
        let mut output = Self {
            key: file.key.clone(),
            name: file.name.clone(),
            media: file.media,
            size: file.size,
            dimensions: None,
            version: None,
            claimed: false,
            duration_seconds: None,
        };
        output.follow(file);
        output
    }

    /// Takes over what is known of the file by now.
    pub(super) fn follow(&mut self, file: &File) {
        if let Ok(Readable { version, .. }) = file.readable() {
            (self.size, self.dimensions, self.version) = (file.size, file.dimensions, Some(version));
        }
    }

    /// Gives what a ticket for it is signed over; `None` before it is ready.
    pub fn readable(&self) -> Option<Readable> {
        let version = self.version.clone()?;
        Some(Readable { key: self.key.clone(), name: self.name.clone(), media: self.media, version })
    }
}

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What programs branch on.
    pub code: String,
    /// A sentence for the owner.
    pub message: String,
}

/// One job of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id, which names the owner.
    pub id: JobId,
    /// What is generated.
    pub kind: Kind,
    /// The wish.
    pub ask: Ask,
    /// The owner's plan when it was accepted, which limits what is delivered.
    pub plan: Plan,
    /// Where it stands.
    pub status: JobStatus,
    /// How far it is, in percent.
    pub progress: u8,
    /// When it was accepted; its allowance is that of this month.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it fails unless it is delivered.
    pub deadline: Timestamp,
    /// Files granted to its generator, and those its completion names.
    pub outputs: Vec<Output>,
    /// When its completion was accepted.
    pub claimed_at: Option<Timestamp>,
    /// What the completion says of a text.
    pub text: Option<TextFacts>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Whether the allowance stays spent even if it fails.
    pub spent: bool,
    /// Counts the writes of this record; every write names the revision it read.
    pub revision: u64,
}

impl Job {
    /// Accepts a wish.
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
            deadline: now.plus(patience(kind)),
            outputs: Vec::new(),
            claimed_at: None,
            text: None,
            failure: None,
            spent: false,
            revision: 1,
        }
    }

    /// Gives the owner.
    pub fn owner(&self) -> &UserId {
        self.id.owner()
    }

    /// Gives the month whose allowance it takes.
    pub fn month(&self) -> Month {
        Month::of(self.created_at)
    }

    /// Gives when `sweep` should look at it, if nothing happens to it before. What was delivered in time is not late because
    /// its check is.
    pub fn due_at(&self) -> Option<Timestamp> {
        let checked = self.claimed_at.map_or(self.deadline, |at| at.plus(CHECKED_WITHIN));
        (!self.status.is_final()).then(|| self.deadline.max(checked).plus(MARGIN))
    }

    /// Gives when the table may forget it.
    pub fn forget_at(&self) -> Option<Timestamp> {
        self.status.is_final().then(|| self.updated_at.plus(KEPT))
    }

    /// Gives the outputs its completion names, in its order.
    pub fn delivered(&self) -> impl Iterator<Item = &Output> {
        self.outputs.iter().filter(|output| output.claimed)
    }

    /// Finds the output that a file stands for.
    pub fn output(&self, file: FileId) -> Option<&Output> {
        self.outputs.iter().find(|output| output.key.file() == file)
    }

    /// Says in a sentence how it stands.
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

    /// Makes the event that asks generators to work. `base` is where the API is reached from outside.
    ///
    /// No grant travels on the bus: for each output its generator asks at `uploads_url`, signed, when it knows the size.
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

/// Gives which completion webhook a kind of job ends with.
fn completion(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "image",
        Kind::Video => "video",
        Kind::Book | Kind::Blog => "text",
    }
}

/// Gives how long a generator may take.
fn patience(kind: Kind) -> Duration {
    match kind {
        Kind::Image | Kind::Blog => Duration::from_hours(1),
        Kind::Video => Duration::from_hours(3),
        Kind::Book => Duration::from_hours(12),
    }
}

/// A job to be: recorded, its allowance taken and its event written, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The job.
    pub job: Job,
    /// What generators are told.
    pub event: Event,
    /// How to reach the owner, as their token says.
    pub seen: Option<Sighting>,
    /// The caller's promise, if any.
    pub idempotent: Option<IdempotentRequest>,
}

/// What became of a wish. Everything but `Accepted` has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The job is recorded.
    Accepted,
    /// The same request was accepted before, as this job.
    Replayed(String),
    /// The idempotency key stands for another request.
    KeyReused,
    /// The month's allowance is spent.
    Spent,
}

/// Makes the 429 of a spent allowance, which says when the next one begins.
pub fn allowance_spent(plan: Plan, kind: Kind, now: Timestamp) -> Fault {
    let (limit, resets_at) = (plan.generations(kind), Month::of(now).ends());
    let class = completion(kind);
    Fault::new(
        Code::GenerationQuotaExceeded,
        format!("Your plan allows {limit} {class} generations a month; the next month begins at {resets_at}"),
    )
    .limited(limit.into(), resets_at, now)
}
