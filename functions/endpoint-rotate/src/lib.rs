//! Gives an endpoint a new secret; the one before goes on signing beside it for a grace period.

use consigne_auth::{EndpointSecrets, Route, SessionVerifier};
use consigne_core::endpoints::{Endpoint, EndpointView, IssuedEndpoint, endpoint_in_path, endpoint_not_found};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::keys::ChangeContext;
use consigne_core::ports::{ChangeEndpoint, GetEndpoint, GetIdempotencyRecord, GetMember};
use consigne_core::{Code, EndpointId, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function};
use consigne_usecases::endpoints::{Changed, change};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Grace period when none is named, in seconds: a day.
const GRACE_DEFAULT: u64 = 24 * 60 * 60;

/// Asks to rotate an endpoint's secret.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// How long the secret before signs too, in seconds, at most 7 days; a day when absent.
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

        // What the answer is made from is the generation alone, which only the record knows.
        let seen = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        let idempotent = idempotency_key.map(|key| {
            let result = (seen.generation + 1).to_string();
            IdempotentRequest { key, owner: user.id.clone().into(), operation: Self::NAME, result }
        });
        let origin = request.origin(&user.id);
        let by = ChangeContext { origin: &origin, now: request.now };
        let rotate = |endpoint: &Endpoint| {
            if endpoint.generation != seen.generation {
                return Err(Fault::new(Code::Conflict, "Somebody else is rotating the secret"));
            }
            endpoint.rotate(grace, idempotent.clone(), &by).map(Some)
        };
        let changed = match self.before(idempotent.as_ref(), request).await? {
            Some(result) => Changed::Replayed(result),
            None => change(&self.endpoints, org, id, rotate).await?,
        };
        let endpoint = match changed {
            Changed::Applied(endpoint) => *endpoint,
            Changed::Replayed(generation) => self.again(org, id, &generation).await?,
        };
        let secret = self.secrets.derive(org, id, endpoint.generation).expose();
        let issued = IssuedEndpoint { secret, view: EndpointView::of(&endpoint, request.now) };
        Ok(Answer::envelope(201, "Secret rotated; this answer alone shows it", &issued, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<IssuedEndpoint>(
            "POST /api/orgs/{org}/endpoints/{endpoint}/rotate",
            "Give an endpoint a new secret; the answer alone shows it",
        );
        let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
        vec![operation.takes::<RotateRequest>().creates().idempotent().refuses(&[Code::Conflict])]
    }
}

impl<A: Adapters<Table: GetEndpoint + GetIdempotencyRecord>> Function<A> {
    /// Gives what the same request led to before. An open rotation refuses another one; but it may be this one.
    async fn before(&self, idempotent: Option<&IdempotentRequest>, request: &Request) -> Result<Option<String>, Fault> {
        let Some(idempotent) = idempotent else { return Ok(None) };
        match self.endpoints.get_idempotency_record(idempotent, request.now).await? {
            Some(WriteOutcome::Replayed(result)) => Ok(Some(result)),
            Some(_) => Err(key_reused()),
            None => Ok(None),
        }
    }

    /// Gives the endpoint as the same request left it before.
    async fn again(&self, org: OrgId, id: EndpointId, generation: &str) -> Result<Endpoint, Fault> {
        let endpoint = self.endpoints.get_endpoint(org, id).await?.ok_or_else(endpoint_not_found)?;
        if endpoint.generation.to_string() == generation {
            return Ok(endpoint);
        }
        Err(Fault::new(Code::Conflict, "The secret was rotated, and rotated again since"))
    }
}
