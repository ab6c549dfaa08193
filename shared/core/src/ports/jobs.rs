//! Ports for generation jobs.

use super::{Listed, PageAsk, PortFuture};
use crate::audit::AuditEntry;
use crate::idempotency::WriteOutcome;
use crate::jobs::{Admission, CancelOutcome, Job, JobId, JobStatus, JobStep, NewJob, StepOutcome};
use crate::webhooks::Received;
use crate::{Plan, UserId};

/// Records a job and takes one unit of its owner's allowance, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait RequestJob {
    /// Accepts the job, or returns why not.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the owner's account is closed.
    fn request_job(&self, new: &NewJob) -> impl PortFuture<Admission>;
}

/// Reads one job, whose id contains the owner. `dynamodb:GetItem`.
pub trait GetJob {
    /// Returns the job, or `None` if there is none.
    fn get_job(&self, job: &JobId) -> impl PortFuture<Option<Job>>;
}

/// Lists a user's jobs, newest first. `dynamodb:Query`.
pub trait ListJobs {
    /// Returns a page, of one status or of all.
    fn list_jobs(&self, owner: &UserId, status: Option<JobStatus>, page: &PageAsk) -> impl PortFuture<Listed<Job>>;
}

/// Changes a job by one step, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`; and
/// `dynamodb:ConditionCheckItem` for a step of the job's owner.
pub trait ApplyJobStep {
    /// Applies the step, and records the webhook that requested it, if there is one.
    fn apply_job_step(&self, step: &JobStep, received: Option<&Received>) -> impl PortFuture<StepOutcome>;
}

/// Cancels a job for its owner, and counts that, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait CancelJob {
    /// Applies the step that cancels the job. It counts against the limits of the owner's `plan`.
    fn cancel_job(&self, step: &JobStep, plan: Plan) -> impl PortFuture<CancelOutcome>;
}

/// Records a received webhook that changes nothing, so that its id cannot be used for another body later.
/// `dynamodb:PutItem`.
pub trait RecordWebhook {
    /// Records the webhook. Returns `Replayed` if it was received before, and `KeyReused` if its id was received before
    /// with another body.
    fn record_webhook(&self, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Deletes the record of a job whose owner's account is closed. `dynamodb:DeleteItem`.
pub trait ForgetJob {
    /// Deletes the record. Succeeds if it does not exist.
    fn forget_job(&self, job: &JobId) -> impl PortFuture<()>;
}

/// Adds an entry to the audit log where no transaction does it, such as for a refused webhook. `dynamodb:PutItem`.
pub trait WriteAudit {
    /// Adds the entry to its organisation's log, or to the installation's.
    fn write_audit(&self, entry: &AuditEntry) -> impl PortFuture<()>;
}
