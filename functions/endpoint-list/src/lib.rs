//! Lists an organisation's endpoints, newest first, without their secrets.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::endpoints::EndpointView;
use consigne_core::ports::{GetMember, ListEndpoints};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and endpoints.
    pub endpoints: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for an organisation's endpoints.
pub async fn handle<F: GetMember + ListEndpoints>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.endpoints, Route::EndpointList).await?;
    let id = org.to_string();
    let context = ["endpoint-list", user.id.as_str(), &id];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.endpoints.list_endpoints(org, &page).await?;
    let show = |endpoint: &_| EndpointView::of(endpoint, request.now);
    Ok(deps.paging.answer("Endpoints listed", &listed, show, request, &context))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation =
        Operation::new::<Vec<EndpointView>>("GET /api/orgs/{org}/endpoints", "List an organisation's endpoints");
    vec![operation.in_org().paged()]
}
