//! Settles a hold: the call succeeded, so its cost is charged and the rest of the held credits is given back.

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::credits::{Hold, HoldEnd, HoldView, Outcome, RESPONSE_MS_MAX, Resolver, STATUS_CODES};
use consigne_core::ports::{GetHold, ResolveHold};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::holds::resolve;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a call has cost, and its outcome.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleRequest {
    /// Credits to charge: from 0 to the amount held.
    pub amount: u64,
    /// HTTP status that the service answered, 100 to 599.
    #[schemars(range(min = *STATUS_CODES.start(), max = *STATUS_CODES.end()))]
    pub status_code: u16,
    /// Duration of the call in milliseconds.
    #[schemars(range(max = RESPONSE_MS_MAX))]
    pub response_ms: u64,
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    holds: A::Table = table(),
}

impl<A: Adapters<Table: GetHold + ResolveHold>> HttpFunction for Function<A> {
    /// Settles a hold. A retry gets the same answer. The key is not checked again: it may be revoked or expired by now.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let caller = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &caller);
        let body: SettleRequest = request.json()?;
        let Outcome { status_code, response_ms, .. } =
            Outcome::reported(body.status_code, body.response_ms, Value::Null)?;
        let how = HoldEnd::Settled { amount: body.amount, status_code, response_ms };
        let idempotency_key = request.idempotency_key(&())?.map(|idempotency_key| idempotency_key.key);
        let id = Hold::id_in_path(request.parameter("id"))?;
        request.log.field("hold.id", id);

        let by = Resolver { caller, idempotency_key, now: request.now };
        let hold = resolve(&self.holds, id, how, &by).await?;
        request.log.add("CreditsCharged", hold.used());
        Ok(Answer::envelope(200, "Hold settled", &HoldView::of(&hold), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<HoldView>(
            "POST /api/credits/holds/{id}/settle",
            "Settle a hold: charge what the call has cost",
        );
        let operation = operation.in_envelope().for_services().parameter("id", "Id of the hold (`hold_id`)", true);
        let refusals = [Code::NotFound, Code::HoldResolved, Code::HoldExpired, Code::HoldExceeded];
        vec![operation.takes::<SettleRequest>().idempotent().refuses(&refusals)]
    }
}
