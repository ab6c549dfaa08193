//! Tests an endpoint: publishes `endpoint.test`, which becomes a signed delivery to this endpoint and no other.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::endpoints::{Endpoint, EndpointTest, endpoint_in_path, endpoint_not_found};
use consigne_core::idempotency::{WriteOutcome, key_reused};
use consigne_core::ports::{GetEndpoint, GetMember, TestEndpoint};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// A requested test of an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EndpointTestView {
    /// Id of the delivery, which is the `webhook-id`. The list of deliveries shows it within seconds.
    pub delivery_id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    /// Members, endpoints and events.
    endpoints: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetEndpoint + TestEndpoint>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointTest).await?;
        self.users.count_write(&user, request.now)?;
        let id = endpoint_in_path(request.parameter("endpoint"))?;
        request.log.field("endpoint.id", id);
        // The request has no body. The idempotency key is bound to the path, which names the endpoint.
        let key = request.idempotency_key(&())?;

        let endpoint = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        require_active(&endpoint)?;
        let test = EndpointTest::new(&endpoint, user.id, key, Self::NAME, request.now);
        let delivery_id = match self.endpoints.test_endpoint(&test).await? {
            WriteOutcome::Applied => test.delivery.to_string(),
            WriteOutcome::Replayed(delivery) => delivery,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => return Err(Fault::internal("a new event cannot conflict")),
        };
        request.log.field("delivery.id", &delivery_id);
        Ok(Answer::envelope(202, "Test requested", &EndpointTestView { delivery_id }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<EndpointTestView>(
            "POST /api/orgs/{org}/endpoints/{endpoint}/test",
            "Test an endpoint with a webhook of type `endpoint.test`",
        );
        let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
        vec![operation.accepted().idempotent().refuses(&[Code::Conflict, Code::RateLimited])]
    }
}

/// Requires that an endpoint gets webhooks.
///
/// # Errors
/// `CONFLICT` if it is disabled.
fn require_active(endpoint: &Endpoint) -> Result<(), Fault> {
    if endpoint.is_active() {
        return Ok(());
    }
    Err(Fault::new(Code::Conflict, "endpoint is disabled; enable it first"))
}
