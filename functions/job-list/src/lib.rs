//! Lists a person's jobs, newest first.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::jobs::{JobStatus, JobView};
use consigne_core::ports::ListJobs;
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// The jobs.
    pub jobs: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for a person's jobs.
pub async fn handle<F: ListJobs>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let user = request.user(&deps.users).await?;
    let status = request.query("status")?.map(|name| status(&name)).transpose()?;
    let context = ["job-list", user.id.as_str(), status.map_or("", JobStatus::name)];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.jobs.list_jobs(&user.id, status, &page).await?;
    Ok(deps.paging.answer("Jobs listed", &listed, JobView::of, request, &context))
}

fn status(name: &str) -> Result<JobStatus, Fault> {
    let names = JobStatus::ALL.map(JobStatus::name);
    JobStatus::from_name(name)
        .ok_or_else(|| Fault::field("status", format!("status must be one of {}", names.join(", "))))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<JobView>>("GET /api/secure/jobs", "List one's jobs");
    let status = "Only jobs of this status: pending, processing, completed or failed";
    vec![operation.in_envelope().parameter("status", status, false).paged()]
}
