//! Lists the services that API keys can pay for.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::services::{SERVICES, Service};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring};
use schemars::JsonSchema;
use serde::Serialize;

/// A service that API keys can pay for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    /// Name to use in requests.
    pub name: &'static str,
    /// Name to show to people.
    pub display_name: &'static str,
    /// What the service does, in one sentence.
    pub description: &'static str,
    /// Credits that a call costs when the request names no cost.
    pub base_cost_per_call: u64,
    /// Most credits that one hold may reserve.
    pub hold_max: u64,
    /// Scopes that a key can have for it.
    pub scopes: &'static [&'static str],
    /// Category to group services by.
    pub category: &'static str,
    /// Whether keys can pay for it at present.
    pub is_active: bool,
}

/// The function and its dependencies.
pub struct Function {
    users: SessionVerifier,
}

impl<A: Adapters> Wire<A> for Function {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        Ok(Pending::ready(Self { users: start.session_verifier()? }))
    }
}

impl Named for Function {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
}

impl HttpFunction for Function {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        request.user(&self.users).await?;
        let services: Vec<ServiceView> = SERVICES.iter().map(show).collect();
        Ok(Answer::envelope(200, "Services listed", &services, request.now))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Vec<ServiceView>>("GET /api/services", "List the services that keys can pay for")
                .in_envelope(),
        ]
    }
}

fn show(service: &'static Service) -> ServiceView {
    ServiceView {
        name: service.name,
        display_name: service.display_name,
        description: service.description,
        base_cost_per_call: service.base_cost,
        hold_max: service.hold_max,
        scopes: service.scopes,
        category: service.category,
        is_active: true,
    }
}
