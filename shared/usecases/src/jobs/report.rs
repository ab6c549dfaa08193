//! Applies a generator's report to its job.

use consigne_core::audit::{AuditAction, AuditEntry, Origin};
use consigne_core::files::Kind;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::jobs::{Job, JobId, JobStatus, Report, StepOutcome, job_not_found};
use consigne_core::ports::{ApplyJobStep, GetFile, GetJob, ReadHead, RecordWebhook, WriteAudit};
use consigne_core::webhooks::{Received, content_mismatch};
use consigne_core::{Code, Fault, Timestamp};
use serde_json::json;

use super::accept;
use crate::ConflictRetry;

/// The source of a report.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// The webhook message that contains it.
    pub received: &'a Received,
    /// Who sent it, and from which address.
    pub origin: Origin,
    /// When it was received.
    pub now: Timestamp,
}

/// Applies a report and returns the job's status afterwards. A repeated report, or one that is too late to change
/// anything, gets the job's current status.
///
/// # Errors
/// `NOT_FOUND` if there is no such job of one of these `kinds`; `WEBHOOK_CONTENT_MISMATCH` if a completion has wrong
/// claims, which the audit log then records; `IDEMPOTENCY_MISMATCH` if the message's id was used for a different
/// message; `CONFLICT` if another completion was accepted before; `UNAVAILABLE` if the job keeps changing or the table
/// or the bucket does not answer.
pub async fn apply_report<F, O>(
    jobs: &F,
    objects: &O,
    kinds: &[Kind],
    id: &str,
    report: &Report,
    sender: &Sender<'_>,
) -> Result<JobStatus, Fault>
where
    F: GetJob + GetFile + ApplyJobStep + RecordWebhook + WriteAudit,
    O: ReadHead,
{
    let id = JobId::parse(id).ok_or_else(job_not_found)?;
    let mut retry = ConflictRetry::of("the job");
    loop {
        let job = jobs.get_job(&id).await?.filter(|job| kinds.contains(&job.kind)).ok_or_else(job_not_found)?;
        let step = match report {
            Report::Begun => job.begun(sender.now),
            Report::Completed { list, files, text } => {
                let accepted = accept(jobs, objects, &job, (list, files), text.clone(), sender.now).await;
                if accepted.as_ref().is_err_and(|fault| fault.code == Code::Conflict) {
                    record(jobs, sender).await?;
                }
                audit_mismatch(jobs, &job, accepted, sender).await?
            }
            Report::Failed { code, message } => job.report_failure(code, message, sender.now),
        };
        let Some(step) = step else {
            record(jobs, sender).await?;
            return Ok(job.status);
        };
        match jobs.apply_job_step(&step, Some(sender.received)).await? {
            StepOutcome::Applied => return Ok(step.job.status),
            StepOutcome::KeyReused => return Err(content_mismatch()),
            // An earlier delivery of the message was applied, so the answer is the job's current status.
            StepOutcome::Replayed => return current_status(jobs, &id).await,
            StepOutcome::Conflict => retry.wait().await?,
        }
    }
}

/// Records a message that changes nothing. So its id is bound to its body, as that of a message that changes the job is.
///
/// # Errors
/// `IDEMPOTENCY_MISMATCH` if the message's id was used for a different message.
async fn record(webhooks: &impl RecordWebhook, sender: &Sender<'_>) -> Result<(), Fault> {
    match webhooks.record_webhook(sender.received).await? {
        WriteOutcome::KeyReused => Err(content_mismatch()),
        WriteOutcome::Applied | WriteOutcome::Replayed(_) | WriteOutcome::Conflict => Ok(()),
    }
}

/// Writes a completion with wrong claims to the audit log, because its sender has the secret to sign it.
async fn audit_mismatch<T>(
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

async fn current_status(jobs: &impl GetJob, id: &JobId) -> Result<JobStatus, Fault> {
    jobs.get_job(id).await?.map(|job| job.status).ok_or_else(job_not_found)
}
