//! What a generator reports at the end, and how it is taken.

use serde_json::json;

use super::step::OURS;
use super::{ClaimedFile, Job, JobId, JobStatus, StepOutcome, TextFacts, accept};
use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::files::Kind;
use crate::ports::{ApplyJobStep, GetFile, GetJob, ReadHead, WriteAudit};
use crate::text::cut;
use crate::webhooks::{Received, content_mismatch};
use crate::{Code, Fault, Timestamp};

/// Tries before a job that keeps moving is left to the report's next delivery: its files arrive at the same time.
const TRIES: u32 = 8;
/// Most characters kept of a code and of a sentence that a generator reports.
const CODE_MAX: usize = 64;
const MESSAGE_MAX: usize = 500;
/// Code of a failure whose generator gives none of its own.
const FAILED: &str = "FAILED";

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A generator has taken the job and is at work.
    Begun,
    /// The job is done, and this was delivered.
    Completed {
        /// What its sender calls the files: `images`, `videos` or `texts`.
        list: &'static str,
        /// The files.
        files: Vec<ClaimedFile>,
        /// What is said of a text.
        text: Option<TextFacts>,
    },
    /// It will not be done.
    Failed {
        /// What programs branch on.
        code: String,
        /// A sentence for the job's owner.
        message: String,
    },
}

/// What comes with a report.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// The message it stands in.
    pub received: &'a Received,
    /// Who sent it, from where.
    pub origin: Origin,
    /// When it came.
    pub now: Timestamp,
}

/// Takes a report and says how the job stands then. Whatever comes twice, or too late to change anything, is answered as
/// it stands.
///
/// # Errors
/// `NOT_FOUND` for a job that is none of these kinds'; `WEBHOOK_CONTENT_MISMATCH`, which also leaves an entry in the audit trail;
/// `IDEMPOTENCY_MISMATCH` when the message's id stands for another; `CONFLICT`; `UNAVAILABLE`.
pub async fn apply_report<F, O>(
    jobs: &F,
    objects: &O,
    kinds: &[Kind],
    id: &str,
    report: &Report,
    sender: &Sender<'_>,
) -> Result<JobStatus, Fault>
where
    F: GetJob + GetFile + ApplyJobStep + WriteAudit,
    O: ReadHead,
{
    let id = JobId::parse(id).ok_or_else(job_not_found)?;
    for _ in 0..TRIES {
        let job = jobs.get_job(&id).await?.filter(|job| kinds.contains(&job.kind)).ok_or_else(job_not_found)?;
        let step = match report {
            Report::Begun => job.begun(sender.now),
            Report::Completed { list, files, text } => {
                let accepted = accept(jobs, objects, &job, (list, files), text.clone(), sender.now).await;
                told(jobs, &job, accepted, sender).await?
            }
            Report::Failed { code, message } => {
                let (code, message) = (said(code, CODE_MAX, FAILED), said(message, MESSAGE_MAX, "Generation failed"));
                let code = if OURS.contains(&code.as_str()) { FAILED } else { &code };
                job.given_up(code, &message, sender.now)
            }
        };
        let Some(step) = step else { return Ok(job.status) };
        match jobs.apply_job_step(&step, Some(sender.received)).await? {
            StepOutcome::Applied => return Ok(step.job.status),
            StepOutcome::KeyReused => return Err(content_mismatch()),
            // Read again, the job is as the message left it; or it has moved, and the report is held against it anew.
            StepOutcome::Replayed => return stands(jobs, &id).await,
            StepOutcome::Conflict => {}
        }
    }
    Err(Fault::unavailable("the job kept moving"))
}

/// Puts a report that does not hold into the audit trail: it was signed by somebody who has the secret.
async fn told<T>(
    audit: &impl WriteAudit,
    job: &Job,
    accepted: Result<T, Fault>,
    sender: &Sender<'_>,
) -> Result<T, Fault> {
    if let Err(fault) = &accepted
        && fault.code == Code::WebhookContentMismatch
    {
        let details = json!({ "field": fault.details.get("field"), "message": fault.message });
        let subject = job.id.to_string();
        let entry = AuditEntry::new(None, AuditAction::WebhookRefused, subject, &sender.origin, sender.now, details);
        audit.write_audit(&entry).await?;
    }
    accepted
}

/// Gives what a generator says, as far as it is fit to be shown.
fn said(text: &str, max: usize, otherwise: &str) -> String {
    Some(cut(text, max)).filter(|text| !text.is_empty()).unwrap_or_else(|| otherwise.to_owned())
}

async fn stands(jobs: &impl GetJob, id: &JobId) -> Result<JobStatus, Fault> {
    jobs.get_job(id).await?.map(|job| job.status).ok_or_else(job_not_found)
}

/// Makes the one 404 of jobs: unknown ones and other people's.
pub fn job_not_found() -> Fault {
    Fault::not_found("Job")
}
