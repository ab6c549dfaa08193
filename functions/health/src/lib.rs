//! Says that the API answers. For services it also checks whether the table and the bucket answer.
//!
//! Everybody may ask, so the answer to everybody makes no call to AWS. A flood of such requests costs no more than the
//! function's own time; limits for each address belong to the edge, before the API.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use consigne_auth::{Refreshed, ServiceTokens};
use consigne_core::ports::Probe;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// The stack's health.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Always `ok`. An unhealthy stack is answered with an error instead.
    pub status: &'static str,
    /// Version of the code.
    pub version: &'static str,
    /// Only with `deep=1`: `ok` for each part. If one is `unreachable`, the answer is a 503 with the same object under
    /// `error.details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checks: Option<BTreeMap<&'static str, &'static str>>,
    /// Only with `deep=1`: the parts that do not answer. It is empty here, and lists them under `error.details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Vec<&'static str>>,
}

/// Longest time for a part to answer. What is slower does not answer, as far as requests are concerned.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// `Retry-After` of a failed check.
const RETRY_AFTER: Duration = Duration::from_secs(5);

function! {
    /// Read only when a service asks for the checks.
    services: Refreshed<ServiceTokens> = service_tokens_on_demand(),
    table: A::Table = table(),
    bucket: A::Bucket = bucket(),
}

impl<A: Adapters<Table: Probe, Bucket: Probe>> HttpFunction for Function<A> {
    /// Answers 200. With `deep=1` it answers 503 instead if a part does not answer, and 401 without a service token: a
    /// monitor whose token is wrong must not take the short answer for the checks.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let mut health = Health { status: "ok", version: env!("CARGO_PKG_VERSION"), checks: None, degraded: None };
        if request.query("deep")?.as_deref() == Some("1") {
            let service = self.services.service(request.credentials(), request.now).await?;
            request.log.field("service", &service);
            health.checks = Some(self.check(request).await?);
            health.degraded = Some(Vec::new());
        }
        Ok(Answer::envelope(200, "All is well", &health, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = |route, summary| {
            let deep = "`1` checks the table and the bucket too; needs a service token";
            Operation::new::<Health>(route, summary)
                .in_envelope()
                .for_anyone()
                .refuses(&[Code::Unauthenticated])
                .parameter("deep", deep, false)
        };
        vec![
            operation("GET /api/health", "Check that the API answers"),
            operation("HEAD /api/health", "Check that the API answers, without a body"),
            operation("GET /health", "Check that the API answers, as `/api/health`"),
            operation("HEAD /health", "Check that the API answers, as `/api/health`, without a body"),
        ]
    }
}

impl<A: Adapters<Table: Probe, Bucket: Probe>> Function<A> {
    /// Checks all parts.
    ///
    /// # Errors
    /// `UNAVAILABLE` with the parts that do not answer.
    async fn check(&self, request: &Request) -> Result<BTreeMap<&'static str, &'static str>, Fault> {
        let (table, bucket) = tokio::join!(probed(&self.table), probed(&self.bucket));
        let (mut checks, mut degraded) = (BTreeMap::new(), Vec::new());
        for (part, field, took, (outcome, millis)) in [
            ("table", "health.table", "health.table_ms", table),
            ("bucket", "health.bucket", "health.bucket_ms", bucket),
        ] {
            request.log.field(took, millis);
            if let Err(fault) = &outcome {
                request.log.field(field, fault.chain());
                degraded.push(part);
            }
            checks.insert(part, if outcome.is_ok() { "ok" } else { "unreachable" });
        }
        if degraded.is_empty() {
            return Ok(checks);
        }
        let fault = Fault::new(Code::Unavailable, "A part of the stack does not answer");
        Err(fault.detail("checks", checks).detail("degraded", degraded).retry_after(RETRY_AFTER))
    }
}

/// Asks a part whether it answers. Returns the outcome, and how long it took in milliseconds.
async fn probed(part: &impl Probe) -> (Result<(), Fault>, u64) {
    let begun = Instant::now();
    let outcome = tokio::time::timeout(PROBE_TIMEOUT, part.probe()).await;
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    (outcome.unwrap_or_else(|late| Err(Fault::unavailable(late))), millis)
}
