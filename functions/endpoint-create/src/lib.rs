//! Registers an endpoint: a URL to which an organisation's events are delivered as webhooks. The signing secret is in
//! this answer only.

use consigne_auth::{EndpointSecrets, Route, SessionVerifier, User};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::endpoints::{
    Endpoint, EndpointStatus, EndpointView, HookUrl, IssuedEndpoint, NewEndpoint, URL_MAX, endpoint_in_path, events_of,
    offered_names,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::orgs::org_not_found;
use consigne_core::pacing::{RATE_MAX, Rate};
use consigne_core::ports::{CreateEndpoint, GetEndpoint, GetMember, GetOrg, ResolveHost};
use consigne_core::{Code, EndpointId, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function, needs};
use consigne_usecases::endpoints::require_reachable;
use futures_util::future::join;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Request to register an endpoint.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointRequest {
    /// URL to send webhooks to: `https` with a public host.
    #[schemars(extend("format" = "uri"), length(max = URL_MAX))]
    pub url: String,
    /// Types of the events to send; at least one.
    #[schemars(length(min = 1), extend("items" = json!({ "enum": offered_names() })))]
    pub events: Vec<String>,
    /// Most calls per second, 1 to 100; 10 when absent.
    #[schemars(range(min = 1, max = RATE_MAX))]
    pub rate_per_second: Option<u64>,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetMember + GetOrg + GetEndpoint + CreateEndpoint, Outgoing: ResolveHost>
}

function! {
    users: SessionVerifier = session_verifier(),
    endpoints: A::Table = table(),
    /// Resolves host names.
    resolver: A::Outgoing = courier(),
    secrets: EndpointSecrets = endpoint_secrets().await,
    /// Whether private addresses are allowed.
    private: bool = private_endpoints(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointCreate).await?;
        let body: EndpointRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let endpoint = body.parse(org, &user, self.private, request)?;
        // A name may take long to resolve, so the organisation is read meanwhile.
        let reachable = require_reachable(&endpoint.url, &self.resolver, self.private);
        let (reachable, known) = join(reachable, self.endpoints.get_org(org)).await;
        reachable?;
        known?.ok_or_else(org_not_found)?.require_working()?;

        let view = EndpointView::of(&endpoint, request.now);
        let details =
            json!({ "host": endpoint.url.host(), "events": view.events, "rate_per_second": view.rate_per_second });
        let (id, origin) = (endpoint.id.to_string(), request.origin(&user));
        let new = NewEndpoint {
            audit: AuditEntry::new(org, AuditAction::EndpointCreated, id.clone(), &origin, request.now, details),
            idempotent: idempotency_key.map(|key| IdempotentRequest {
                key,
                owner: user.id.into(),
                operation: Self::NAME,
                result: id,
            }),
            endpoint,
        };
        let endpoint = match self.endpoints.create_endpoint(&new).await? {
            WriteOutcome::Applied => new.endpoint,
            WriteOutcome::Replayed(result) => self.registered_before(org, &result).await?,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => return Err(Fault::internal("a new endpoint cannot conflict")),
        };
        request.log.field("endpoint.id", endpoint.id);
        let secret = self.secrets.derive(org, endpoint.id, endpoint.generation).expose();
        let issued = IssuedEndpoint { secret, view: EndpointView::of(&endpoint, request.now) };
        Ok(Answer::envelope(
            201,
            "Endpoint registered. Store its secret now: it is not shown again",
            &issued,
            request.now,
        ))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<IssuedEndpoint>(
            "POST /api/orgs/{org}/endpoints",
            "Register an endpoint for webhooks. Only the answer shows its secret",
        );
        vec![operation.in_org().takes::<EndpointRequest>().creates().idempotent().refuses(&[Code::Conflict])]
    }
}

impl EndpointRequest {
    fn parse(&self, org: OrgId, user: &User, private: bool, request: &Request) -> Result<Endpoint, Fault> {
        Ok(Endpoint {
            org,
            id: EndpointId::mint(request.now),
            url: HookUrl::parse(&self.url, private)?,
            events: events_of(&self.events)?,
            rate: self.rate_per_second.map(Rate::parse).transpose()?.unwrap_or_default(),
            status: EndpointStatus::Active,
            generation: 1,
            previous_until: None,
            failing_since: None,
            created_by: user.id.clone(),
            created_at: request.now,
            revision: 1,
        })
    }
}

impl<A: Needs> Function<A> {
    /// Returns the endpoint that an earlier try of the same request registered.
    ///
    /// # Errors
    /// `CONFLICT` when the secret was rotated or the endpoint deleted since.
    async fn registered_before(&self, org: OrgId, id: &str) -> Result<Endpoint, Fault> {
        let known = self.endpoints.get_endpoint(org, endpoint_in_path(id)?).await?;
        known.filter(|endpoint| endpoint.generation == 1).ok_or_else(|| {
            Fault::new(
                Code::Conflict,
                "The endpoint was registered, but its secret has been rotated or it has been deleted since",
            )
        })
    }
}
