//! Lists a person's jobs, newest first.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::jobs::{JobStatus, JobView};
use consigne_core::ports::ListJobs;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Paging, Request, Start, Wire, Wiring};

/// The function, with what it works with.
pub struct Function<A: Adapters> {
    users: SessionVerifier,
    jobs: A::Table,
    paging: Paging,
}

impl<A: Adapters> Wire<A> for Function<A> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        let (users, jobs) = (start.session_verifier()?, start.table()?);
        Ok(start.paging()?.map(move |paging| Self { users, jobs, paging }))
    }
}

impl<A: Adapters<Table: ListJobs>> HttpFunction for Function<A> {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    /// Answers a request for a person's jobs.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let status = request.query("status")?.map(|name| status(&name)).transpose()?;
        let context = ["job-list", user.id.as_str(), status.map_or("", JobStatus::name)];
        let page = self.paging.ask(request, &context)?;
        let listed = self.jobs.list_jobs(&user.id, status, &page).await?;
        Ok(self.paging.answer("Jobs listed", &listed, JobView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<JobView>>("GET /api/secure/jobs", "List one's jobs");
        let status = "Only jobs of this status: pending, processing, completed or failed";
        vec![operation.in_envelope().parameter("status", status, false).paged()]
    }
}

fn status(name: &str) -> Result<JobStatus, Fault> {
    let names = JobStatus::ALL.map(JobStatus::name);
    JobStatus::from_name(name)
        .ok_or_else(|| Fault::field("status", format!("status must be one of {}", names.join(", "))))
}
