//! What the job desk needs of the outside world.

use super::{Listed, PageAsk, PortFuture};
use crate::UserId;
use crate::audit::AuditEntry;
use crate::jobs::{Admission, Job, JobId, JobStatus, JobStep, NewJob, StepOutcome};
use crate::webhooks::Received;

/// Records a job and takes one unit of its owner's allowance, in one transaction. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait RequestJob {
    /// Accepts the job, or says why not.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when the owner's account is closed.
    fn request_job(&self, new: &NewJob) -> impl PortFuture<Admission>;
}

/// Reads one job; its id names the owner. `dynamodb:GetItem`.
pub trait GetJob {
    /// Gives the job; `None` when there is none.
    fn get_job(&self, job: &JobId) -> impl PortFuture<Option<Job>>;
}

/// Lists a user's jobs, newest first. `dynamodb:Query`.
pub trait ListJobs {
    /// Gives one page, of one status or of all.
    fn list_jobs(&self, owner: &UserId, status: Option<JobStatus>, page: &PageAsk) -> impl PortFuture<Listed<Job>>;
}

/// Moves a job by one step, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ApplyJobStep {
    /// Applies the step, and remembers the message that asks for it, if there is one.
    fn apply_job_step(&self, step: &JobStep, received: Option<&Received>) -> impl PortFuture<StepOutcome>;
}

/// Removes the record of a job whose owner is gone. `dynamodb:DeleteItem`.
pub trait ForgetJob {
    /// Removes the record; one that is gone already is removed.
    fn forget_job(&self, job: &JobId) -> impl PortFuture<()>;
}

/// Adds an entry to the audit trail, where nothing else changes: a refusal worth remembering. `dynamodb:PutItem`.
pub trait WriteAudit {
    /// Adds the entry.
    fn write_audit(&self, entry: &AuditEntry) -> impl PortFuture<()>;
}
