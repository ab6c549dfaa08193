//! Shows one job: its status and, once it is complete, signed URLs to read its files.

use std::time::Duration;

use consigne_auth::SessionVerifier;
use consigne_core::jobs::{JobId, JobView, Output, job_not_found};
use consigne_core::ports::GetJob;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, Tickets, function};

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
    tickets: Tickets = tickets().await,
    lifetime: Duration = ticket_lifetime(),
}

impl<A: Adapters<Table: GetJob>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let id = JobId::parse_for(&user.id, request.parameter("id")).ok_or_else(job_not_found)?;
        request.log.field("job.id", &id);
        let job = self.jobs.get_job(&id).await?.ok_or_else(job_not_found)?;

        let valid = self.tickets.valid_for(self.lifetime, request.now).await?;
        let ticket = |output: &Output| {
            let readable = output.readable().ok_or_else(|| Fault::internal("a delivered file is not ready"))?;
            request.names_one_file(output.key.as_str(), None);
            valid.sign(&readable)
        };
        Ok(Answer::envelope(200, "Job found", &JobView::with_result(&job, ticket)?, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<JobView>("GET /api/secure/jobs/{id}/status", "Get the status of a job");
        vec![operation.in_envelope().parameter("id", "Id of the job", true).refuses(&[Code::NotFound])]
    }
}
