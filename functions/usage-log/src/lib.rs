//! Lists an organisation's receipts, newest first: which key was charged, for what, and the outcome of the call.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::credits::{Receipt, STATUS_CODES};
use consigne_core::periods::Day;
use consigne_core::ports::{GetMember, ListReceipts, ReceiptFilter};
use consigne_core::{Fault, KeyId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// A charged call: its receipt, and its outcome once the service has reported it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UsageEntry {
    /// Id of the receipt.
    pub receipt_id: String,
    /// Id of the key that was charged.
    pub key_id: String,
    /// `production` or `test`.
    #[schemars(extend("enum" = ["production", "test"]))]
    pub environment: &'static str,
    /// Service that was paid for.
    pub service: Option<String>,
    /// Endpoint that was called, as reported by the service.
    pub endpoint: Option<String>,
    /// HTTP method of the call, as reported by the service.
    pub method: Option<String>,
    /// HTTP status that the service answered; null until it reports the outcome.
    #[schemars(range(min = *STATUS_CODES.start(), max = *STATUS_CODES.end()))]
    pub status_code: Option<u16>,
    /// Duration of the call in milliseconds; null until the service reports the outcome.
    pub response_ms: Option<u64>,
    /// Credits charged for the call.
    pub credits: u64,
    /// IP address of the caller, as reported by the service.
    pub ip: Option<String>,
    /// Country of the caller as two letters, as reported by the service.
    pub country: Option<String>,
    /// `User-Agent` of the caller's client, as reported by the service.
    pub user_agent: Option<String>,
    /// Further details that the service reported with the outcome.
    pub details: Value,
    /// When the call was charged.
    #[schemars(extend("format" = "date-time"))]
    pub timestamp: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    receipts: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListReceipts>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.receipts, Route::UsageLog).await?;
        let filter = filter(request)?;
        let (id, day) = (org.to_string(), filter.day.map(|day| day.to_string()).unwrap_or_default());
        let key = filter.key.map(|key| key.to_string()).unwrap_or_default();
        let context = [Self::NAME, user.id.as_str(), &id, &day, &key];
        let page = self.paging.ask(request, &context)?;
        let listed = self.receipts.list_receipts(org, filter, &page).await?;
        Ok(self.paging.answer("Usage listed", &listed, show, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<UsageEntry>>("GET /api/orgs/{org}/usage", "List charged calls, newest first");
        let operation = operation.in_org().parameter("day", "Only calls of this day (UTC), such as 2026-11-21", false);
        let operation = operation.accepting(json!({ "type": "string", "format": "date" }));
        vec![operation.parameter("key", "Only calls with this key (its id)", false).paged()]
    }
}

fn filter(request: &Request) -> Result<ReceiptFilter, Fault> {
    let day = request
        .query("day")?
        .map(|text| Day::parse(&text).ok_or_else(|| Fault::field("day", "day must be a date such as 2026-11-21")));
    let key = request
        .query("key")?
        .map(|text| KeyId::parse(&text).ok_or_else(|| Fault::field("key", "key must be the id of a key")));
    Ok(ReceiptFilter { day: day.transpose()?, key: key.transpose()? })
}

fn show(receipt: &Receipt) -> UsageEntry {
    let (call, outcome) = (&receipt.call, receipt.outcome.as_ref());
    UsageEntry {
        receipt_id: receipt.id.to_string(),
        key_id: receipt.key.to_string(),
        environment: receipt.environment.name(),
        service: call.service.clone(),
        endpoint: call.endpoint.clone(),
        method: call.method.clone(),
        status_code: outcome.map(|outcome| outcome.status_code),
        response_ms: outcome.map(|outcome| outcome.response_ms),
        credits: receipt.credits,
        ip: call.ip.clone(),
        country: call.country.clone(),
        user_agent: call.user_agent.clone(),
        details: outcome.map_or(Value::Null, |outcome| outcome.details.clone()),
        timestamp: receipt.at.to_string(),
    }
}
