//! Cancels a job that no generator has started, and gives its allowance back.

use consigne_auth::SessionVerifier;
use consigne_core::jobs::{Job, JobId, JobView, StepOutcome, job_not_found};
use consigne_core::ports::{ApplyJobStep, GetJob};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::ConflictRetry;

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
}

impl<A: Adapters<Table: GetJob + ApplyJobStep>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let id = JobId::parse_for(&user.id, request.parameter("id")).ok_or_else(job_not_found)?;
        request.log.field("job.id", &id);
        let job = cancel(&self.jobs, &id, request).await?;
        Ok(Answer::envelope(200, "Job cancelled", &JobView::of(&job), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<JobView>("DELETE /api/secure/jobs/{id}", "Cancel a pending job");
        let refusals = [Code::NotFound, Code::Conflict];
        vec![operation.in_envelope().parameter("id", "Id of the job", true).refuses(&refusals)]
    }
}

async fn cancel<F: GetJob + ApplyJobStep>(jobs: &F, id: &JobId, request: &Request) -> Result<Job, Fault> {
    let mut retry = ConflictRetry::of("the job");
    loop {
        let job = jobs.get_job(id).await?.ok_or_else(job_not_found)?;
        let Some(step) = job.cancelled(request.now)? else { return Ok(job) };
        if jobs.apply_job_step(&step, None).await? == StepOutcome::Applied {
            request.log.count("JobsCancelled");
            return Ok(step.job);
        }
        retry.wait().await?;
    }
}
