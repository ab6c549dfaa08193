//! Computes the step of a job or an order that follows from a file's step.

use consigne_core::files::{Status, Transition};
use consigne_core::ports::{GetJob, GetOrder};
use consigne_core::{Fault, Timestamp};

use crate::orders;

/// Adds to a file's step the step of its job or its order that follows from it, if there is one. An order's photo is
/// rejected instead of accepted if its form was replaced by a newer one.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub async fn follow(jobs: &(impl GetJob + GetOrder), step: Transition, now: Timestamp) -> Result<Transition, Fault> {
    if let Some(order) = step.file.owner().as_order() {
        return orders::follow(jobs, order, step, now).await;
    }
    follow_job(jobs, step, now).await
}

/// Does the same for a file that has arrived. The photo of an order that was erased is rejected, too. The caller must
/// remove the version then.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub(crate) async fn follow_arrival(
    jobs: &(impl GetJob + GetOrder),
    step: Transition,
    now: Timestamp,
) -> Result<Transition, Fault> {
    if let Some(order) = step.file.owner().as_order() {
        return orders::follow_arrival(jobs, order, step, now).await;
    }
    follow_job(jobs, step, now).await
}

async fn follow_job(jobs: &impl GetJob, step: Transition, now: Timestamp) -> Result<Transition, Fault> {
    let Some(id) = &step.file.job else { return Ok(step) };
    let job = jobs.get_job(id).await?;
    let follows = job.and_then(|job| match step.file.status {
        Status::Ready => job.arrived(&step.file, now),
        // The file may still become ready, for example after the malware scan.
        Status::Pending | Status::Processing => None,
        Status::Rejected | Status::Infected | Status::Deleting | Status::Deleted => {
            job.lost(&step.file, now).or_else(|| job.text_lost(&step.file))
        }
    });
    Ok(Transition { job: follows.map(Box::new), ..step })
}
