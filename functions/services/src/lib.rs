//! Lists the services that API keys can pay for.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::services::{SERVICES, ServiceView};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring};

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
        let services: Vec<ServiceView> = SERVICES.iter().map(ServiceView::of).collect();
        Ok(Answer::envelope(200, "Services listed", &services, request.now))
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Vec<ServiceView>>("GET /api/services", "List the services that keys can pay for")
                .in_envelope(),
        ]
    }
}
