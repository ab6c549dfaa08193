//! Lists the caller's jobs, newest first.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::jobs::{JobStatus, JobView};
use consigne_core::ports::ListJobs;
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    jobs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: ListJobs>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let status = request.query("status")?.map(|name| status(&name)).transpose()?;
        let context = [Self::NAME, user.id.as_str(), status.map_or("", JobStatus::name)];
        let page = self.paging.ask(request, &context)?;
        let listed = self.jobs.list_jobs(&user.id, status, &page).await?;
        Ok(self.paging.answer("Jobs listed", &listed, JobView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<JobView>>("GET /api/secure/jobs", "List the caller's jobs");
        let (status, statuses) = ("Only jobs with this status", JobStatus::ALL.map(JobStatus::name));
        vec![operation.in_envelope().parameter("status", status, false).one_of(&statuses).paged()]
    }
}

fn status(name: &str) -> Result<JobStatus, Fault> {
    let names = JobStatus::ALL.map(JobStatus::name);
    JobStatus::from_name(name)
        .ok_or_else(|| Fault::field("status", format!("status must be one of {}", names.join(", "))))
}
