//! Lists the services that keys pay for.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::services::{SERVICES, Service};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring};
use schemars::JsonSchema;
use serde::Serialize;

/// A service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    /// Name in requests.
    pub name: &'static str,
    /// Name for people.
    pub display_name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Credits a call costs when its caller names no cost.
    pub base_cost_per_call: u64,
    /// Most credits one hold for a call may set aside.
    pub hold_max: u64,
    /// Scopes that concern it.
    pub scopes: &'static [&'static str],
    /// Group.
    pub category: &'static str,
    /// Whether keys can pay for it now.
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
        vec![Operation::new::<Vec<ServiceView>>("GET /api/services", "List the services keys pay for").in_envelope()]
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
