//! Stores on a receipt the outcome of the call it paid for. An outcome is stored once and never changed, because
//! receipts are the usage log.

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::credits::{Outcome, OutcomeKept, RESPONSE_MS_MAX, ReceiptId, STATUS_CODES};
use consigne_core::ports::KeepOutcome;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Largest size of `details` as JSON, in bytes.
const DETAILS_MAX: usize = 4 * 1024;

/// The outcome of a call.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRequest {
    /// HTTP status that the service answered, 100 to 599.
    #[schemars(range(min = *STATUS_CODES.start(), max = *STATUS_CODES.end()))]
    pub status_code: u16,
    /// Duration of the call in milliseconds.
    #[schemars(range(max = RESPONSE_MS_MAX))]
    pub response_ms: u64,
    /// Further details, at most 4 KiB as JSON.
    #[serde(default)]
    pub details: Map<String, Value>,
}

/// A receipt with its outcome.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OutcomeKept")]
pub struct Completed {
    /// Id of the receipt.
    pub receipt_id: String,
    /// The stored HTTP status.
    pub status_code: u16,
    /// The stored duration in milliseconds.
    pub response_ms: u64,
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    receipts: A::Table = table(),
}

impl<A: Adapters<Table: KeepOutcome>> HttpFunction for Function<A> {
    /// Stores an outcome. The same outcome again gets the same answer; another one is refused.
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
            OutcomeKept::Other => return Err(Fault::new(Code::Conflict, "The receipt already has another outcome")),
        }
        let (status_code, response_ms) = (outcome.status_code, outcome.response_ms);
        let completed = Completed { receipt_id: id.to_string(), status_code, response_ms };
        Ok(Answer::envelope(200, "Outcome stored", &completed, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Completed>("POST /api/keys/receipts/{id}/outcome", "Report the outcome of a paid call");
        let operation = operation.in_envelope().for_services().parameter(
            "id",
            "Id of the receipt (`receipt_id` in the answer to the check of the key)",
            true,
        );
        vec![operation.takes::<OutcomeRequest>().refuses(&[Code::NotFound, Code::Conflict])]
    }
}

impl OutcomeRequest {
    fn parse(self) -> Result<Outcome, Fault> {
        let outcome = Outcome::reported(self.status_code, self.response_ms, Value::Object(self.details))?;
        if outcome.details.to_string().len() > DETAILS_MAX {
            return Err(
                Fault::field("details", "details must be at most 4096 bytes as JSON").detail("limit", DETAILS_MAX)
            );
        }
        Ok(outcome)
    }
}
