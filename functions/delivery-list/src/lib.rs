//! Lists an endpoint's deliveries with their attempts, newest first. Deliveries about another member's own files and
//! jobs are left out.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::deliveries::{DeliveryStatus, DeliveryView};
use consigne_core::endpoints::{endpoint_in_path, endpoint_not_found};
use consigne_core::ports::{DeliveryFilter, GetEndpoint, GetMember, ListDeliveries};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    /// Members, endpoints and deliveries.
    deliveries: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + GetEndpoint + ListDeliveries>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.deliveries, Route::DeliveryList).await?;
        let endpoint = endpoint_in_path(request.parameter("endpoint"))?;
        let status = request.query("status")?.map(|name| status_of(&name)).transpose()?;
        self.deliveries.get_endpoint(org, endpoint).await?.ok_or_else(endpoint_not_found)?;

        let (id, only) = (endpoint.to_string(), status.map_or("all", DeliveryStatus::name));
        let context = [Self::NAME, user.id.as_str(), &id, only];
        let page = self.paging.ask(request, &context)?;
        let filter = DeliveryFilter { endpoint, status, viewer: user.id.clone() };
        let listed = self.deliveries.list_deliveries(org, &filter, &page).await?;
        Ok(self.paging.answer("Deliveries listed", &listed, DeliveryView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<DeliveryView>>(
            "GET /api/orgs/{org}/endpoints/{endpoint}/deliveries",
            "List an endpoint's deliveries with their attempts",
        );
        let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
        vec![
            operation
                .parameter("status", "Only deliveries with this status", false)
                .one_of(&DeliveryStatus::ALL.map(DeliveryStatus::name))
                .paged(),
        ]
    }
}

fn status_of(name: &str) -> Result<DeliveryStatus, Fault> {
    let names = || DeliveryStatus::ALL.map(DeliveryStatus::name).join(", ");
    DeliveryStatus::from_name(name).ok_or_else(|| Fault::field("status", format!("status must be one of {}", names())))
}
