//! Steps of a job. Each has the record after the step, whether the allowance is given back, and the event that
//! announces it.
//!
//! Steps are pure functions. The table applies one as a single transaction, on condition that the record still has the
//! revision from which the step was computed. So each step is applied at most once. If a file's step causes a step of
//! its job, both are in one transaction. So a job is complete as soon as its completion and its last file are recorded,
//! in either order.

use super::{Claim, Failure, Job, JobStatus, Output};
use crate::events::{CompletedStatus, Event, EventData, FailedStatus, JobCompleted, JobError, JobFailed};
use crate::files::{Dimensions, File, Kind, ObjectKey, Status};
use crate::rates::{OverRate, Rate};
use crate::{Code, Fault, FileId, Timestamp};

/// Message of a job that its owner has cancelled.
const WAS_CANCELLED: &str = "The job was cancelled";
/// Message of a job that its owner has cancelled after the last cancellation of the day that gives back.
const WAS_CANCELLED_SPENT: &str = "The job was cancelled. Its allowance is not given back, because today's \
                                   cancellations that give it back are used up";
/// Code of a job that its owner has cancelled.
pub const CANCELLED: &str = "CANCELLED";
/// Code of a job that was not delivered in time.
const DEADLINE_PASSED: &str = "DEADLINE_PASSED";
/// Code of a job whose completion lists a file that was lost.
const OUTPUT_LOST: &str = "OUTPUT_LOST";
/// Codes that only Consigne uses. Generators cannot report them.
pub(super) const OURS: [&str; 3] = [CANCELLED, DEADLINE_PASSED, OUTPUT_LOST];
/// Most grants per requested file. A generator that crashed and starts again needs new ones.
const GRANTS_PER_FILE: usize = 4;
/// Progress of a job that a generator has started, in percent.
const BEGUN: u8 = 10;
/// Progress of a job that only waits for the check of its files, in percent.
const NEARLY: u8 = 95;

/// One step of a job, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct JobStep {
    /// The revision that the record must still have.
    pub seen: u64,
    /// The record after the step.
    pub job: Job,
    /// Whether the month's allowance is given back.
    pub gives_back: bool,
    /// Whether the job's owner asks for the step. Then their account must be open.
    pub by_owner: bool,
    /// The event that announces the step, if it ends the job.
    pub event: Option<Event>,
    /// Files that the job adopts because its completion lists them: the revision that each record must still have, and
    /// the record after the step.
    pub adopted: Vec<(u64, File)>,
    /// Files whose records get the dimensions that the completion reports, because they are not measured.
    pub reported: Vec<(ObjectKey, Dimensions)>,
}

impl JobStep {
    /// Returns the rates at which the cancellation of a job counts.
    pub const fn rates_of_cancellation(&self) -> &'static [Rate] {
        if self.gives_back { &[Rate::Writes, Rate::Refunds] } else { &[Rate::Writes] }
    }
}

/// The outcome of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The job is cancelled.
    Cancelled,
    /// The job has changed since it was read. Nothing was changed.
    Conflict,
    /// No write, or no cancellation that gives back, is left in the window. Nothing was changed.
    OverRate(OverRate),
}

/// The outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It was written.
    Applied,
    /// The job, or a file it adopts, has changed since it was read. Nothing was changed.
    Conflict,
    /// The message that requests the step was received before.
    Replayed,
    /// The message's id was used for a different message.
    KeyReused,
}

impl Job {
    /// Returns the step that lets a generator upload one more file.
    ///
    /// # Errors
    /// `CONFLICT` if the job has ended, its completion was accepted, or it already has four grants per requested file.
    pub fn granted(&self, file: &File, now: Timestamp) -> Result<JobStep, Fault> {
        if self.status.is_final() || self.claimed_at.is_some() {
            return Err(Fault::new(Code::Conflict, "job has ended or is already delivered; it accepts no more files")
                .detail("status", self.status.name()));
        }
        let limit = self.ask.wanted() * GRANTS_PER_FILE;
        if self.outputs.len() >= limit {
            return Err(
                Fault::new(Code::Conflict, format!("job can be granted at most {limit} files")).detail("limit", limit)
            );
        }
        Ok(self.step(now, |job| {
            job.outputs.push(Output::of(file));
            job.status = JobStatus::Processing;
        }))
    }

    /// Returns the step that records that a generator is at work. From then on the job cannot be cancelled. Returns
    /// `None` unless the job is pending.
    pub fn begun(&self, now: Timestamp) -> Option<JobStep> {
        (self.status == JobStatus::Pending).then(|| self.step(now, |job| job.status = JobStatus::Processing))
    }

    /// Returns the step that records the progress of a text: `chapters` are written, out of a total `of` if that is
    /// known. From then on the job cannot be cancelled. Returns `None` if nothing changes.
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

    /// Returns the step after a file of the job has become ready. Returns `None` if the file is not the job's or the
    /// job has ended.
    pub fn arrived(&self, file: &File, now: Timestamp) -> Option<JobStep> {
        self.concerned_by(file.id())?;
        Some(self.step(now, |job| {
            for output in job.outputs.iter_mut().filter(|output| output.key == file.key) {
                output.update_from(file);
            }
        }))
    }

    /// Returns the step after a file of the job is lost: it will never be ready, or was deleted. Returns `None` if the
    /// file is not the job's or the job has ended.
    ///
    /// A file that was only granted can be granted again. If the completion lists the lost file, the job fails. If the
    /// owner deleted an output that was ready, the allowance stays spent, however the job ends: the owner had the
    /// output.
    pub fn lost(&self, file: &File, now: Timestamp) -> Option<JobStep> {
        let output = self.concerned_by(file.id())?;
        let had = output.version.is_some() && matches!(file.status, Status::Deleting | Status::Deleted);
        let message = format!("A file of the result was lost: {}", why_lost(file, output));
        let failure = output.claimed.then(|| Failure { code: OUTPUT_LOST.to_owned(), message });
        Some(self.step(now, |job| {
            job.spent |= had;
            if failure.is_none() {
                job.outputs.retain(|output| output.key != file.key);
            }
            job.failure = failure;
        }))
    }

    /// Returns the step after the file of a finished text is gone, for example because its owner has deleted it. The job
    /// stays completed, but lists of texts leave it out. Returns `None` if the job is not such a text.
    pub fn text_lost(&self, file: &File) -> Option<JobStep> {
        let is_theirs = self.delivered().any(|output| output.key == file.key);
        (self.is_finished_text() && is_theirs).then(|| JobStep {
            seen: self.revision,
            job: Self { text_gone: true, revision: self.revision + 1, ..self.clone() },
            gives_back: false,
            by_owner: false,
            event: None,
            adopted: Vec::new(),
            reported: Vec::new(),
        })
    }

    /// Finds the output of a file, unless the job has ended.
    fn concerned_by(&self, file: FileId) -> Option<&Output> {
        self.output(file).filter(|_| !self.status.is_final())
    }

    /// Returns the step that accepts a completion whose files were checked.
    pub fn claimed(&self, claim: &Claim, now: Timestamp) -> JobStep {
        // The records of adopted files are written anyway. A picture that has not been checked yet will be measured.
        let may_be_measured = |output: &Output| output.version.is_none() && output.key.kind() == Kind::Image;
        let unmeasured = claim
            .files
            .iter()
            .filter(|file| file.adopts.is_none() && file.output.dimensions.is_none() && !may_be_measured(&file.output));
        let reported = unmeasured.filter_map(|file| Some((file.output.key.clone(), file.output.reported?))).collect();
        let step = self.step(now, |job| {
            let known = std::mem::take(&mut job.outputs);
            let claimed = |output: &Output| claim.files.iter().any(|file| file.output.key == output.key);
            let delivered = claim.files.iter().map(|file| Output { claimed: true, ..file.output.clone() });
            job.outputs = delivered.chain(known.into_iter().filter(|output| !claimed(output))).collect();
            job.status = JobStatus::Processing;
            job.claimed_at = Some(now);
            job.text.clone_from(&claim.text);
        });
        JobStep { reported, ..step }
    }

    /// Returns the step that fails the job, or `None` if it has ended.
    pub fn failed(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        let failure = Failure { code: code.to_owned(), message: message.to_owned() };
        (!self.status.is_final()).then(|| self.step(now, |job| job.failure = Some(failure)))
    }

    /// Returns the step that fails the job because its generator reports a failure. Returns `None` if the job has
    /// ended, or if a completion was accepted: a later failure report of another worker does not undo the delivery.
    pub fn given_up(&self, code: &str, message: &str, now: Timestamp) -> Option<JobStep> {
        self.failed(code, message, now).filter(|_| self.claimed_at.is_none())
    }

    /// Returns the step that fails an overdue job. Returns `None` if the job has ended or has time left.
    pub fn overdue(&self, now: Timestamp) -> Option<JobStep> {
        let why = match self.claimed_at {
            None => "The generator did not deliver in time",
            Some(_) => "A file of the result could not be checked in time",
        };
        self.due_at().filter(|due| *due <= now).and_then(|_| self.failed(DEADLINE_PASSED, why, now))
    }

    /// Returns the step that cancels the job for its owner, or `None` if that was done before. If it does not give the
    /// allowance back, it says so.
    ///
    /// # Errors
    /// `CONFLICT` if a generator is at work, or if the job has ended in another way.
    pub fn cancelled(&self, gives_back: bool, now: Timestamp) -> Result<Option<JobStep>, Fault> {
        match self.status {
            JobStatus::Pending => {
                let message = if gives_back { WAS_CANCELLED } else { WAS_CANCELLED_SPENT };
                let step = self.step(now, |job| {
                    job.spent |= !gives_back;
                    job.failure = Some(Failure { code: CANCELLED.to_owned(), message: message.to_owned() });
                });
                Ok(Some(JobStep { by_owner: true, ..step }))
            }
            JobStatus::Failed if self.failure.as_ref().is_some_and(|failure| failure.code == CANCELLED) => Ok(None),
            status => Err(Fault::new(Code::Conflict, format!("job is {} and cannot be cancelled", status.name()))
                .detail("status", status.name())),
        }
    }

    /// Builds a step: applies `change`, then completes or fails the job or updates its progress, as follows from the
    /// record.
    fn step(&self, now: Timestamp, change: impl FnOnce(&mut Self)) -> JobStep {
        let mut job = self.clone();
        change(&mut job);
        let whole = job.claimed_at.is_some() && job.delivered().all(|output| output.version.is_some());
        let event = if let Some(failure) = &job.failure {
            job.status = JobStatus::Failed;
            Some(job.failed_event(failure))
        } else if whole {
            (job.status, job.progress) = (JobStatus::Completed, 100);
            Some(job.completed_event())
        } else {
            job.progress = job.progress.max(job.reached());
            None
        };
        job.updated_at = now;
        job.revision += 1;
        JobStep {
            seen: self.revision,
            gives_back: job.status == JobStatus::Failed && !job.spent,
            by_owner: false,
            job,
            event: event.map(|data| Event::new(now, data)),
            adopted: Vec::new(),
            reported: Vec::new(),
        }
    }

    /// Computes the progress from the files that are ready, in percent.
    fn reached(&self) -> u8 {
        if self.claimed_at.is_some() {
            return NEARLY;
        }
        let ready = self.outputs.iter().filter(|output| output.version.is_some()).count().min(self.ask.wanted());
        // At most `COUNT_MAX` files are requested.
        let share = u8::try_from(ready * usize::from(NEARLY - BEGUN) / self.ask.wanted().max(1)).unwrap_or(0);
        if self.status == JobStatus::Pending { 0 } else { BEGUN + share }
    }

    fn completed_event(&self) -> EventData {
        EventData::JobCompleted(JobCompleted {
            job_id: self.id.clone(),
            user_id: self.owner().clone(),
            kind: self.kind,
            title: self.ask.title(),
            status: CompletedStatus::Completed,
            files: self.delivered().map(|output| output.key.clone()).collect(),
        })
    }

    fn failed_event(&self, failure: &Failure) -> EventData {
        EventData::JobFailed(JobFailed {
            job_id: self.id.clone(),
            user_id: self.owner().clone(),
            kind: self.kind,
            title: self.ask.title(),
            status: FailedStatus::Failed,
            error: JobError { code: failure.code.clone(), message: failure.message.clone() },
        })
    }
}

/// Returns why a file of the result is lost, as the end of a sentence.
fn why_lost<'a>(file: &'a File, output: &Output) -> &'a str {
    match (&file.rejected_reason, file.status) {
        (_, Status::Infected) => "it contains malware",
        (Some(reason), _) => reason,
        (None, _) if output.version.is_some() => "it was deleted",
        (None, _) => "it did not arrive",
    }
}
