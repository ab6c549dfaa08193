//! Rotates an endpoint's signing secret. For a grace period webhooks are signed with the previous secret too.

use consigne_auth::{EndpointSecrets, Route, SessionVerifier};
use consigne_core::endpoints::{
    Endpoint, EndpointView, GRACE_MAX, IssuedEndpoint, endpoint_in_path, endpoint_not_found,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::keys::ChangeContext;
use consigne_core::ports::{ChangeEndpoint, GetEndpoint, GetIdempotencyRecord, GetMember};
use consigne_core::{Code, EndpointId, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function};
use consigne_usecases::endpoints::{Changed, change};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grace period when the request names none, in seconds: one day.
const GRACE_DEFAULT: u64 = 24 * 60 * 60;

/// Request to rotate an endpoint's secret.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EndpointRotateRequest")]
pub struct RotateRequest {
    /// How long webhooks are signed with the previous secret too, in seconds; at most 7 days, one day when absent.
    #[schemars(range(max = GRACE_MAX.as_secs()))]
    pub grace_seconds: Option<u64>,
}

function! {
    users: SessionVerifier = session_verifier(),
    endpoints: A::Table = table(),
    secrets: EndpointSecrets = endpoint_secrets().await,
}

impl<A: Adapters<Table: GetMember + GetEndpoint + ChangeEndpoint + GetIdempotencyRecord>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointRotate).await?;
        let id = endpoint_in_path(request.parameter("endpoint"))?;
        request.log.field("endpoint.id", id);
        let body: RotateRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let grace = Endpoint::grace(body.grace_seconds.unwrap_or(GRACE_DEFAULT))?;

        // The secret is derived from the endpoint's generation, so the idempotency record stores only that.
        let seen = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        let idempotent = idempotency_key.map(|key| {
            let result = (seen.generation + 1).to_string();
            IdempotentRequest { key, owner: user.id.clone().into(), operation: Self::NAME, result }
        });
        let origin = request.origin(&user);
        let by = ChangeContext { origin: &origin, now: request.now };
        let rotate = |endpoint: &Endpoint| {
            if endpoint.generation != seen.generation {
                return Err(Fault::new(Code::Conflict, "Somebody else is rotating the secret"));
            }
            endpoint.rotate(grace, idempotent.clone(), &by).map(Some)
        };
        let changed = match self.result_before(idempotent.as_ref(), request).await? {
            Some(result) => Changed::Replayed(result),
            None => change(&self.endpoints, org, id, rotate).await?,
        };
        let endpoint = match changed {
            Changed::Applied(endpoint) => *endpoint,
            Changed::Replayed(generation) => self.rotated_before(org, id, &generation).await?,
        };
        let secret = self.secrets.derive(org, id, endpoint.generation).expose();
        let issued = IssuedEndpoint { secret, view: EndpointView::of(&endpoint, request.now) };
        Ok(Answer::envelope(201, "Secret rotated. Store it now: it is not shown again", &issued, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<IssuedEndpoint>(
            "POST /api/orgs/{org}/endpoints/{endpoint}/rotate",
            "Rotate an endpoint's secret. Only the answer shows the new one",
        );
        let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
        vec![operation.takes::<RotateRequest>().creates().idempotent().refuses(&[Code::Conflict])]
    }
}

impl<A: Adapters<Table: GetEndpoint + GetIdempotencyRecord>> Function<A> {
    /// Returns the result of an earlier try of the same request. This is checked before rotating, because an endpoint
    /// with an open rotation refuses another one, even from a retry of the request that opened it.
    async fn result_before(
        &self,
        idempotent: Option<&IdempotentRequest>,
        request: &Request,
    ) -> Result<Option<String>, Fault> {
        let Some(idempotent) = idempotent else { return Ok(None) };
        match self.endpoints.get_idempotency_record(idempotent, request.now).await? {
            Some(WriteOutcome::Replayed(result)) => Ok(Some(result)),
            Some(_) => Err(key_reused()),
            None => Ok(None),
        }
    }

    /// Returns the endpoint that an earlier try of the same request rotated.
    ///
    /// # Errors
    /// `NOT_FOUND` when the endpoint is deleted, `CONFLICT` when its secret was rotated again since.
    async fn rotated_before(&self, org: OrgId, id: EndpointId, generation: &str) -> Result<Endpoint, Fault> {
        let endpoint = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        if endpoint.generation.to_string() == generation {
            return Ok(endpoint);
        }
        Err(Fault::new(Code::Conflict, "The secret was rotated, but has been rotated again since"))
    }
}
