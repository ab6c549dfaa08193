//! Cancels a job that no generator has started. A plan's first cancellations of a day give the month's allowance back; a
//! later one only ends the job, and says so.

use consigne_auth::{SessionVerifier, User};
use consigne_core::jobs::{CancelOutcome, Job, JobId, JobView, job_not_found};
use consigne_core::ports::{CancelJob, GetJob};
use consigne_core::rates::Rate;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::ConflictRetry;

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
}

impl<A: Adapters<Table: GetJob + CancelJob>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let id = JobId::parse_for(&user.id, request.parameter("id")).ok_or_else(job_not_found)?;
        request.log.field("job.id", &id);
        let job = cancel(&self.jobs, &id, &user, request).await?;
        let message = if job.spent { "Job cancelled. Its allowance is not given back" } else { "Job cancelled" };
        Ok(Answer::envelope(200, message, &JobView::of(&job), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<JobView>("DELETE /api/secure/jobs/{id}", "Cancel a pending job");
        let refusals = [Code::NotFound, Code::Conflict];
        vec![operation.in_envelope().parameter("id", "Id of the job", true).refuses(&refusals)]
    }
}

async fn cancel<F: GetJob + CancelJob>(jobs: &F, id: &JobId, user: &User, request: &Request) -> Result<Job, Fault> {
    let (mut retry, mut gives_back) = (ConflictRetry::of("the job"), true);
    loop {
        let job = jobs.get_job(id).await?.ok_or_else(job_not_found)?;
        let Some(step) = job.cancelled(gives_back, request.now)? else { return Ok(job) };
        match jobs.cancel_job(&step, user.plan).await? {
            CancelOutcome::Cancelled => {
                request.log.count("JobsCancelled");
                return Ok(step.job);
            }
            CancelOutcome::OverRate(over) if over.rate == Rate::Refunds => gives_back = false,
            CancelOutcome::OverRate(over) => return Err(over.refusal(user.plan, request.now)),
            CancelOutcome::Conflict => retry.wait().await?,
        }
    }
}
