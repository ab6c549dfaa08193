//! Deletes an endpoint. Its pending deliveries are cancelled at their next attempt.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::endpoints::{endpoint_in_path, endpoint_not_found};
use consigne_core::ports::{DeleteEndpoint, GetEndpoint, GetMember};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// Confirms that an endpoint was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EndpointDeleted")]
pub struct Deleted {
    /// Id of the endpoint.
    pub id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    endpoints: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetEndpoint + DeleteEndpoint>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointDelete).await?;
        let id = endpoint_in_path(request.parameter("endpoint"))?;
        request.log.field("endpoint.id", id);

        let endpoint = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        let (origin, details) = (request.origin(&user), json!({ "host": endpoint.url.host() }));
        let entry = AuditEntry::new(org, AuditAction::EndpointDeleted, id.to_string(), &origin, request.now, details);
        if !self.endpoints.delete_endpoint(&endpoint, &entry).await? {
            return Err(endpoint_not_found());
        }
        Ok(Answer::envelope(200, "Endpoint deleted", &Deleted { id: id.to_string() }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Deleted>("DELETE /api/orgs/{org}/endpoints/{endpoint}", "Delete an endpoint");
        vec![operation.in_org().parameter("endpoint", "Id of the endpoint", true)]
    }
}
