//! Lists an organisation's endpoints, newest first. The answer does not contain their secrets.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::endpoints::EndpointView;
use consigne_core::ports::{GetMember, ListEndpoints};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    endpoints: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListEndpoints>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.endpoints.list_endpoints(org, &page).await?;
        let show = |endpoint: &_| EndpointView::of(endpoint, request.now);
        Ok(self.paging.answer("Endpoints listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<EndpointView>>("GET /api/orgs/{org}/endpoints", "List an organisation's endpoints");
        vec![operation.in_org().paged()]
    }
}
