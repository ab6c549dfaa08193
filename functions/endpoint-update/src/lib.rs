//! Changes an endpoint's URL, events or rate, or enables an endpoint that was disabled.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::endpoints::{
    Endpoint, EndpointPatch, EndpointView, HookUrl, URL_MAX, endpoint_in_path, events_of, offered_names,
};
use consigne_core::keys::ChangeContext;
use consigne_core::pacing::{RATE_MAX, Rate};
use consigne_core::ports::{ChangeEndpoint, GetEndpoint, GetMember, ResolveHost};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::endpoints::{Changed, change, require_reachable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Changes to an endpoint. A field that is absent stays as it is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EndpointUpdateRequest")]
pub struct UpdateRequest {
    /// New URL to send webhooks to: `https` with a public host.
    #[schemars(extend("format" = "uri"), length(max = URL_MAX))]
    pub url: Option<String>,
    /// Types of the events to send from now on, all of them.
    #[schemars(length(min = 1), extend("items" = json!({ "enum": offered_names() })))]
    pub events: Option<Vec<String>>,
    /// Most calls per second, 1 to 100.
    #[schemars(range(min = 1, max = RATE_MAX))]
    pub rate_per_second: Option<u64>,
    /// `active` enables an endpoint that was disabled.
    pub status: Option<Wanted>,
}

/// The status that a request can give an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wanted {
    /// The endpoint receives webhooks.
    Active,
}

function! {
    users: SessionVerifier = session_verifier(),
    endpoints: A::Table = table(),
    /// Resolves host names.
    resolver: A::Outgoing = courier(),
    /// Whether private addresses are allowed.
    private: bool = private_endpoints(),
}

impl<A: Adapters<Table: GetMember + GetEndpoint + ChangeEndpoint, Outgoing: ResolveHost>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.endpoints, Route::EndpointUpdate).await?;
        let id = endpoint_in_path(request.parameter("endpoint"))?;
        request.log.field("endpoint.id", id);
        let body: UpdateRequest = request.json()?;
        let patch = body.parse(self.private)?;
        if let Some(url) = &patch.url {
            require_reachable(url, &self.resolver, self.private).await?;
        }

        let origin = request.origin(&user);
        let by = ChangeContext { origin: &origin, now: request.now };
        let update = |endpoint: &Endpoint| {
            endpoint.require_own(&patch, &user.id)?;
            Ok(endpoint.update(&patch, &by))
        };
        let changed = change(&self.endpoints, org, id, update).await?;
        let Changed::Applied(endpoint) = changed else {
            return Err(Fault::internal("a change without an idempotency key cannot be a replay"));
        };
        Ok(Answer::envelope(200, "Endpoint updated", &EndpointView::of(&endpoint, request.now), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<EndpointView>(
            "PATCH /api/orgs/{org}/endpoints/{endpoint}",
            "Change an endpoint, or enable it again",
        );
        let operation = operation.in_org().parameter("endpoint", "Id of the endpoint", true);
        vec![operation.takes::<UpdateRequest>().refuses(&[Code::Conflict])]
    }
}

impl UpdateRequest {
    fn parse(&self, private: bool) -> Result<EndpointPatch, Fault> {
        Ok(EndpointPatch {
            url: self.url.as_deref().map(|url| HookUrl::parse(url, private)).transpose()?,
            events: self.events.as_deref().map(events_of).transpose()?,
            rate: self.rate_per_second.map(Rate::parse).transpose()?,
            enable: self.status == Some(Wanted::Active),
        })
    }
}
