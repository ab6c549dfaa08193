//! Lists an organisation's receipts, newest first: what was charged, to which key, and how the call went.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::credits::Receipt;
use consigne_core::periods::Day;
use consigne_core::ports::{GetMember, ListReceipts, ReceiptFilter};
use consigne_core::{Fault, KeyId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A charged call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UsageEntry {
    /// The receipt.
    pub receipt_id: String,
    /// The key that was charged.
    pub key_id: String,
    /// What the key spends: production or test.
    pub environment: &'static str,
    /// Service that was paid for.
    pub service: Option<String>,
    /// Endpoint, as the service told.
    pub endpoint: Option<String>,
    /// HTTP method, as the service told.
    pub method: Option<String>,
    /// HTTP status the service answered, once told.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds, once told.
    pub response_ms: Option<u64>,
    /// Credits charged.
    pub credits: u64,
    /// Address of the caller, as the service told.
    pub ip: Option<String>,
    /// Country of the caller, two letters, as the service told.
    pub country: Option<String>,
    /// What the caller's client calls itself, as the service told.
    pub user_agent: Option<String>,
    /// Whatever else the service told.
    pub details: Value,
    /// When the call was admitted.
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
        let operation = operation.in_org().parameter("day", "Only of this day (UTC), such as 2026-11-21", false);
        vec![operation.parameter("key", "Only of this key", false).paged()]
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
