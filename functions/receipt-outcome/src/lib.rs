//! Keeps on a receipt how the call it paid for went. Once: the usage log is not rewritten.

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::credits::{Outcome, OutcomeKept, ReceiptId};
use consigne_core::ports::KeepOutcome;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most bytes of `details`, as JSON.
const DETAILS_MAX: usize = 4 * 1024;

/// Tells how a call went.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRequest {
    /// HTTP status the service answered, 100 to 599.
    pub status_code: u16,
    /// How long it took, in milliseconds.
    pub response_ms: u64,
    /// Whatever else there is to tell, at most 4 KiB as JSON.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// A receipt with its outcome.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Completed {
    /// The receipt.
    pub receipt_id: String,
    /// Status kept.
    pub status_code: u16,
    /// Time kept, in milliseconds.
    pub response_ms: u64,
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    receipts: A::Table = table(),
}

impl<A: Adapters<Table: KeepOutcome>> HttpFunction for Function<A> {
    /// Answers the telling of an outcome; the same one again is answered the same.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let service = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &service);
        let body: OutcomeRequest = request.json()?;
        let outcome = body.parse()?;
        let unknown = || Fault::not_found("Receipt");
        let id = ReceiptId::parse(request.parameter("id")).ok_or_else(unknown)?;
        request.log.field("receipt.id", id);

        match self.receipts.keep_outcome(id, &service, &outcome, request.now).await? {
            OutcomeKept::Kept => {}
            OutcomeKept::Unknown => return Err(unknown()),
            OutcomeKept::Other => return Err(Fault::new(Code::Conflict, "Another outcome stands on this receipt")),
        }
        let (status_code, response_ms) = (outcome.status_code, outcome.response_ms);
        let completed = Completed { receipt_id: id.to_string(), status_code, response_ms };
        Ok(Answer::envelope(200, "Outcome kept", &completed, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Completed>("POST /api/keys/receipts/{id}/outcome", "Tell how a paid call went");
        let operation = operation.in_envelope().for_services().parameter("id", "receipt_id of the check", true);
        vec![operation.takes::<OutcomeRequest>().refuses(&[Code::NotFound, Code::Conflict])]
    }
}

impl OutcomeRequest {
    fn parse(self) -> Result<Outcome, Fault> {
        let outcome = Outcome::told(self.status_code, self.response_ms, Value::Object(self.details))?;
        if outcome.details.to_string().len() > DETAILS_MAX {
            return Err(Fault::field("details", "details is longer than 4 KiB").detail("limit", DETAILS_MAX));
        }
        Ok(outcome)
    }
}
