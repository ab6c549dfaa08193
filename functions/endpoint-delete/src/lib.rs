//! Deletes an endpoint. What is on its way there ends at its next attempt, unsent.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::endpoints::{endpoint_in_path, endpoint_not_found};
use consigne_core::ports::{DeleteEndpoint, GetEndpoint, GetMember};
use consigne_runtime::http::Operation;
use consigne_runtime::{Answer, Request};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and endpoints.
    pub endpoints: F,
}

/// An endpoint that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    /// Its id.
    pub id: String,
}

/// Answers a request to delete an endpoint.
pub async fn handle<F>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault>
where
    F: GetMember + GetEndpoint + DeleteEndpoint,
{
    let (user, org) = request.member(&deps.users, &deps.endpoints, Route::EndpointDelete).await?;
    let id = endpoint_in_path(request.parameter("endpoint"))?;
    request.log.field("endpoint.id", id);

    let endpoint = deps.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
    let (origin, details) = (request.origin(&user.id), json!({ "host": endpoint.url.host() }));
    let entry = AuditEntry::new(org, AuditAction::EndpointDeleted, id.to_string(), &origin, request.now, details);
    if !deps.endpoints.delete_endpoint(&endpoint, &entry).await? {
        return Err(endpoint_not_found());
    }
    Ok(Answer::envelope(200, "Endpoint deleted", &Deleted { id: id.to_string() }, request.now))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Deleted>("DELETE /api/orgs/{org}/endpoints/{endpoint}", "Delete an endpoint");
    vec![operation.in_org().parameter("endpoint", "Id of the endpoint", true)]
}
