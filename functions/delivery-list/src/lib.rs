//! Lists an endpoint's deliveries with their attempts, newest first. Other people's own matters are left out.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::deliveries::{DeliveryStatus, DeliveryView};
use consigne_core::endpoints::{endpoint_in_path, endpoint_not_found};
use consigne_core::ports::{DeliveryFilter, GetEndpoint, GetMember, ListDeliveries};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members, endpoints and deliveries.
    pub deliveries: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for an endpoint's deliveries.
pub async fn handle<F>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault>
where
    F: GetMember + GetEndpoint + ListDeliveries,
{
    let (user, org) = request.member(&deps.users, &deps.deliveries, Route::DeliveryList).await?;
    let endpoint = endpoint_in_path(request.parameter("endpoint"))?;
    let status = request.query("status")?.map(|name| status_of(&name)).transpose()?;
    deps.deliveries.get_endpoint(org, endpoint).await?.ok_or_else(endpoint_not_found)?;

    let (id, only) = (endpoint.to_string(), status.map_or("all", DeliveryStatus::name));
    let context = ["delivery-list", user.id.as_str(), &id, only];
    let page = deps.paging.ask(request, &context)?;
    let filter = DeliveryFilter { endpoint, status, viewer: user.id.clone() };
    let listed = deps.deliveries.list_deliveries(org, &filter, &page).await?;
    Ok(deps.paging.answer("Deliveries listed", &listed, DeliveryView::of, request, &context))
}

fn status_of(name: &str) -> Result<DeliveryStatus, Fault> {
    let names = || DeliveryStatus::ALL.map(DeliveryStatus::name).join(", ");
    DeliveryStatus::from_name(name).ok_or_else(|| Fault::field("status", format!("status must be one of {}", names())))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<DeliveryView>>(
        "GET /api/orgs/{org}/endpoints/{endpoint}/deliveries",
        "List an endpoint's deliveries with their attempts",
    );
    let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
    vec![operation.parameter("status", "Only of this status: pending, delivered, failed, cancelled", false).paged()]
}
