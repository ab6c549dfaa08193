//! Voids a hold: the job was not done. If the provider failed, all that was held is free again, so many times a day and key;
//! beyond that, or if the caller asked for what could not be done, all of it is spent. What lies between is a settlement.

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::credits::{Hold, HoldEnd, HoldView, Resolver, VoidReason};
use consigne_core::ports::{GetHold, ResolveHold};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::holds::resolve;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells why a job was not done.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidRequest {
    /// Whose fault it was.
    pub reason: Reason,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All is given back, at most 100 times a day (UTC) and key; nothing beyond that.
    ProviderError,
    /// Nothing is given back.
    CallerError,
}

impl From<Reason> for VoidReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::ProviderError => Self::ProviderError,
            Reason::CallerError => Self::CallerError,
        }
    }
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    holds: A::Table = table(),
}

impl<A: Adapters<Table: GetHold + ResolveHold>> HttpFunction for Function<A> {
    /// Answers a request to void a hold; the same one again is answered the same. It does not matter what has become of the key.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let caller = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &caller);
        let body: VoidRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&())?.map(|idempotency_key| idempotency_key.key);
        let id = Hold::id_in_path(request.parameter("id"))?;
        request.log.field("hold.id", id);

        let by = Resolver { caller, idempotency_key, now: request.now };
        let how = HoldEnd::Voided(body.reason.into());
        let hold = resolve(&self.holds, id, how, &by).await?;
        Ok(Answer::envelope(200, "Hold voided", &HoldView::of(&hold), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<HoldView>("POST /api/credits/holds/{id}/void", "End a hold whose job was not done");
        let operation = operation.in_envelope().for_services().parameter("id", "hold_id of the hold", true);
        let refusals = [Code::NotFound, Code::HoldResolved, Code::HoldExpired];
        vec![operation.takes::<VoidRequest>().idempotent().refuses(&refusals)]
    }
}
