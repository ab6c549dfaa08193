//! Voids a hold: the call failed.
//!
//! If the provider failed, all credits of the hold are given back, but only a limited number of times per key and day.
//! Beyond that, or if the caller's request was at fault, all of them are charged. To charge a part, settle the hold.

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::credits::{Hold, HoldEnd, HoldView, Resolver, VoidReason};
use consigne_core::ports::{GetHold, ResolveHold};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::holds::resolve;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to void a hold.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidRequest {
    /// Who was at fault.
    pub reason: Reason,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The provider failed. All credits are given back, at most 100 times per key and day (UTC); after that none are.
    ProviderError,
    /// The caller's request was at fault. All credits are charged.
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
    /// Voids a hold. A retry gets the same answer. The key is not checked again: it may be revoked or expired by now.
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
            Operation::new::<HoldView>("POST /api/credits/holds/{id}/void", "Void a hold whose call failed");
        let operation = operation.in_envelope().for_services().parameter("id", "Id of the hold (`hold_id`)", true);
        let refusals = [Code::NotFound, Code::HoldResolved, Code::HoldExpired];
        vec![operation.takes::<VoidRequest>().idempotent().refuses(&refusals)]
    }
}
