//! Fails the open jobs of a closed account, and later removes the records of all of them.

use consigne_core::jobs::{CANCELLED, Job, JobStatus};
use consigne_core::ports::{ApplyJobStep, ForgetDraft, ForgetJob, ListJobs, PageAsk};
use consigne_core::texts::Form;
use consigne_core::{Fault, Timestamp, UserId};
use consigne_runtime::{needs, remaining};
use futures_util::future::try_join_all;

use crate::{AT_ONCE, PAGE, RESERVE};

needs! {
    /// The ports that end and remove jobs. Each stands for one IAM action.
    pub trait EndJobs: ListJobs + ApplyJobStep + ForgetJob + ForgetDraft
}

/// Fails every job that has not ended. Returns `false` if time ran short.
pub(crate) async fn end_jobs<T: EndJobs>(table: &T, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    for status in JobStatus::ALL.into_iter().filter(|status| !status.is_final()) {
        let mut page = PageAsk { limit: PAGE, after: None };
        loop {
            let listed = table.list_jobs(user, Some(status), &page).await?;
            for job in listed.items {
                if remaining() < RESERVE {
                    return Ok(false);
                }
                // If the job has changed since, the step is a conflict. The last look then finds the job again.
                if let Some(step) = job.failed(CANCELLED, "The account was closed", now) {
                    table.apply_job_step(&step, None).await?;
                }
            }
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
    }
    Ok(true)
}

/// Removes the record of every job, and the draft that was written for it. Returns `false` if time ran short.
pub(crate) async fn forget_jobs<T: EndJobs>(table: &T, user: &UserId) -> Result<bool, Fault> {
    loop {
        let listed = table.list_jobs(user, None, &PageAsk { limit: PAGE, after: None }).await?;
        for some in listed.items.chunks(AT_ONCE) {
            if remaining() < RESERVE {
                return Ok(false);
            }
            try_join_all(some.iter().map(|job| forget_job(table, job))).await?;
        }
        if listed.next.is_none() {
            return Ok(true);
        }
    }
}

/// Removes a job's draft, then its record. In this order, because only the record leads to the draft.
async fn forget_job<T: EndJobs>(table: &T, job: &Job) -> Result<(), Fault> {
    if Form::of(job.kind).is_some() {
        table.forget_draft(&job.id).await?;
    }
    table.forget_job(&job.id).await
}
