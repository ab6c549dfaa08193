//! How a job moves: each step computes the record after it, whether the allowance is given back, and the event it tells.
//!
//! The steps are pure. The table applies one in a single transaction, on condition that the record still has the revision the
//! step was computed from; steps that follow from a file's share the transaction of that file. So every step happens at most
//! once, and a job is complete in the very moment in which the later one of its completion and its last file is recorded.

use serde_json::{Value, json};

use super::{Claim, Failure, Job, JobStatus, Output};
use crate::events::{Event, EventKind};
use crate::files::{File, Status};
use crate::{Code, Fault, FileId, Timestamp};

/// Code of a job that its owner has cancelled.
pub const CANCELLED: &str = "CANCELLED";
/// Code of a job whose time was over.
const DEADLINE_PASSED: &str = "DEADLINE_PASSED";
/// Code of a job whose completion names a file that is gone.
const OUTPUT_LOST: &str = "OUTPUT_LOST";
/// Codes that only we give, so that no generator can speak for us.
pub(super) const OURS: [&str; 3] = [CANCELLED, DEADLINE_PASSED, OUTPUT_LOST];
/// Files that may be granted for each one wished for: a generator that was killed asks anew.
const GRANTS_PER_FILE: usize = 4;
/// Progress of a job whose generator has shown itself, and of one that is delivered but for the last check.
const BEGUN: u8 = 10;
const NEARLY: u8 = 95;

/// One step of a job, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStep {
    /// The revision the record must still have.
    pub seen: u64,
    /// The record after the step.
    pub job: Job,
    /// Whether the month's allowance is given back.
    pub gives_back: bool,
    /// What the step tells the world.
    pub event: Option<Event>,
    /// Files the job takes in that were not granted for it: each as it is from now on, with the revision it must still have.
    pub adopted: Vec<(u64, File)>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It was applied.
    Applied,
    /// The job, or a file it takes in, has moved since it was read; nothing was changed.
    Conflict,
    /// The message that asks for it was received before.
    Replayed,
    /// The id of the message that asks for it stands for another message.
    KeyReused,
}

impl Job {
    /// Lets a generator upload one more file.
    ///
    /// # Errors
    /// `CONFLICT` when the job has ended, is complete but for its checks, or has had files enough.
    pub fn granted(&self, file: &File, now: Timestamp) -> Result<JobStep, Fault> {
        if self.status.is_final() || self.claimed_at.is_some() {
            return Err(Fault::new(Code::Conflict, "The job takes no more files").detail("status", self.status.name()));
        }
        let limit = self.ask.wanted() * GRANTS_PER_FILE;
        if self.outputs.len() >= limit {
            return Err(Fault::new(Code::Conflict, format!("The job has been granted {limit} files, which is enough"))
                .detail("limit", limit));
        }
        Ok(self.step(now, |job| {
            job.outputs.push(Output::of(file));
            job.status = JobStatus::Processing;
        }))
    }

    /// Notes that a generator is at work, from when on the job cannot be cancelled; `None` when that was known.
    pub fn begun(&self, now: Timestamp) -> Option<JobStep> {
        (self.status == JobStatus::Pending).then(|| self.step(now, |job| job.status = JobStatus::Processing))
    }

    /// Notes how far a text is: so many of its chapters are written, of so many, where that is known. From the first time on it
    /// cannot be cancelled. `None` when nothing of that is news.
    pub fn written(&self, chapters: usize, of: Option<usize>, now: Timestamp) -> Option<JobStep> {
        let share = of.map_or(0, |of| chapters * usize::from(NEARLY - BEGUN) / of.max(1));
        let progress = NEARLY.min(BEGUN.saturating_add(u8::try_from(share).unwrap_or(NEARLY)));
        let is_news = self.status == JobStatus::Pending || self.progress < progress;
        (is_news && !self.status.is_final()).then(|| {
            self.step(now, |job| {
                job.status = JobStatus::Processing;
                job.progress = job.progress.max(progress);
            })
        })
    }

    /// Follows a file that is ready; `None` when that concerns the job no more.
    pub fn arrived(&self, file: &File, now: Timestamp) -> Option<JobStep> {
        self.concerned_by(file.id())?;
        Some(self.step(now, |job| {
            for output in job.outputs.iter_mut().filter(|output| output.key == file.key) {
                output.follow(file);
            }
        }))
    }

    /// Follows a file that will never be ready, or is no longer; `None` when that concerns the job no more.
    ///
    /// What was only granted may be granted anew. What the completion names is gone for good, and the job fails. Whoever
    /// deletes what they could already read has had it: the allowance is then spent, however the job ends.
    pub fn lost(&self, file: &File, now: Timestamp) -> Option<JobStep> {
        let output = self.concerned_by(file.id())?;
        let had = output.version.is_some() && matches!(file.status, Status::Deleting | Status::Deleted);
        let message = format!("A file of the result could not be kept: {}", why_lost(file, output));
        let failure = output.claimed.then(|| Failure { code: OUTPUT_LOST.to_owned(), message });
        Some(self.step(now, |job| {
            job.spent |= had;
            if failure.is_none() {
                job.outputs.retain(|output| output.key != file.key);
            }
            job.failure = failure;
        }))
    }

    fn concerned_by(&self, file: FileId) -> Option<&Output> {
        self.output(file).filter(|_| !self.status.is_final())
    }

    /// Accepts a completion that was checked, by `consigne_usecases::jobs`.
    pub fn claimed(&self, claim: &Claim, now: Timestamp) -> JobStep {
        self.step(now, |job| {
            let known = std::mem::take(&mut job.outputs);
            let claimed = |output: &Output| claim.files.iter().any(|file| file.output.key == output.key);
            let delivered = claim.files.iter().map(|file| Output { claimed: true, ..file.output.clone() });
            job.outputs = delivered.chain(known.into_iter().filter(|output| !claimed(output))).collect();
            job.status = JobStatus::Processing;
            job.claimed_at = Some(now);
            job.text.clone_from(&claim.text);
        })
    }

    /// Fails the job; `None` when it has ended.
    pub fn failed(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        let failure = Failure { code: code.to_owned(), message: message.to_owned() };
        (!self.status.is_final()).then(|| self.step(now, |job| job.failure = Some(failure)))
    }

    /// Fails the job on its generator's word; `None` when it has ended, or a completion was accepted: what was delivered
    /// counts, whichever of two workers speaks last.
    pub fn given_up(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        self.failed(code, message, now).filter(|_| self.claimed_at.is_none())
    }

    /// Fails a job whose time is over; `None` when it has ended, or has time left.
    pub fn overdue(&self, now: Timestamp) -> Option<JobStep> {
        let why = match self.claimed_at {
            None => "The generator did not deliver in time",
            Some(_) => "A file of the result could not be checked in time",
        };
        self.due_at().filter(|due| *due <= now).and_then(|_| self.failed(DEADLINE_PASSED, why, now))
    }

    /// Cancels the job on behalf of its owner; `None` when that was done before.
    ///
    /// # Errors
    /// `CONFLICT` when a generator is at work, or the job has ended otherwise.
    pub fn cancelled(&self, now: Timestamp) -> Result<Option<JobStep>, Fault> {
        match self.status {
            JobStatus::Pending => Ok(self.failed(CANCELLED, "The job was cancelled", now)),
            JobStatus::Failed if self.failure.as_ref().is_some_and(|failure| failure.code == CANCELLED) => Ok(None),
            status => Err(Fault::new(Code::Conflict, format!("A job that is {} cannot be cancelled", status.name()))
                .detail("status", status.name())),
        }
    }

    /// Makes a step, with whatever follows from it: completion, failure, progress.
    fn step(&self, now: Timestamp, change: impl FnOnce(&mut Self)) -> JobStep {
        let mut job = self.clone();
        change(&mut job);
        let whole = job.claimed_at.is_some() && job.delivered().all(|output| output.version.is_some());
        let event = if job.failure.is_some() {
            job.status = JobStatus::Failed;
            Some(EventKind::JobFailed)
        } else if whole {
            (job.status, job.progress) = (JobStatus::Completed, 100);
            Some(EventKind::JobCompleted)
        } else {
            job.progress = job.progress.max(job.reached());
            None
        };
        job.updated_at = now;
        job.revision += 1;
        let event = event.map(|kind| Event::new(kind, now, job.facts()));
        JobStep {
            seen: self.revision,
            gives_back: job.status == JobStatus::Failed && !job.spent,
            job,
            event,
            adopted: Vec::new(),
        }
    }

    /// Works out how far the deliveries are.
    fn reached(&self) -> u8 {
        if self.claimed_at.is_some() {
            return NEARLY;
        }
        let ready = self.outputs.iter().filter(|output| output.version.is_some()).count().min(self.ask.wanted());
        // At most COUNT_MAX files are wished for.
        let share = u8::try_from(ready * usize::from(NEARLY - BEGUN) / self.ask.wanted().max(1)).unwrap_or(0);
        if self.status == JobStatus::Pending { 0 } else { BEGUN + share }
    }

    /// Gives what the event of its end says.
    fn facts(&self) -> Value {
        let mut facts = json!({
            "job_id": self.id,
            "user_id": self.owner(),
            "kind": self.kind.name(),
            "title": self.ask.title(),
            "status": self.status.name(),
        });
        if let Some(failure) = &self.failure {
            facts["error"] = json!({ "code": failure.code, "message": failure.message });
        } else {
            let keys: Vec<_> = self.delivered().map(|output| output.key.as_str()).collect();
            facts["files"] = json!(keys);
        }
        facts
    }
}

/// Says why a file of the result is lost.
fn why_lost<'a>(file: &'a File, output: &Output) -> &'a str {
    match (&file.rejected_reason, file.status) {
        (Some(reason), _) => reason,
        (None, Status::Infected) => "it carries malware",
        (None, _) if output.version.is_some() => "it was deleted",
        (None, _) => "it did not arrive",
    }
}
