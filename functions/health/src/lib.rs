//! Says whether the stack is well: the table and the bucket answer.

use std::collections::BTreeMap;

use consigne_core::Fault;
use consigne_core::ports::Probe;
use consigne_runtime::http::Operation;
use consigne_runtime::{Answer, Request};
use schemars::JsonSchema;
use serde::Serialize;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, O> {
    /// The table.
    pub table: F,
    /// The bucket.
    pub bucket: O,
}

/// The stack's health.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `ok`, or `degraded` when a check failed.
    pub status: &'static str,
    /// Version of the code.
    pub version: &'static str,
    /// Each part: `ok` or `unreachable`.
    pub checks: BTreeMap<&'static str, &'static str>,
}

/// Answers whether the stack is well: 200, or 503 with the part that is not.
pub async fn handle<F: Probe, O: Probe>(deps: &Deps<F, O>, request: &Request) -> Result<Answer, Fault> {
    let (table, bucket) = tokio::join!(deps.table.probe(), deps.bucket.probe());
    let well = table.is_ok() && bucket.is_ok();
    for (part, outcome) in [("health.table", &table), ("health.bucket", &bucket)] {
        if let Err(fault) = outcome {
            request.notes.field(part, fault.chain());
        }
    }
    let word = |outcome: Result<(), Fault>| if outcome.is_ok() { "ok" } else { "unreachable" };
    let health = Health {
        status: if well { "ok" } else { "degraded" },
        version: env!("CARGO_PKG_VERSION"),
        checks: BTreeMap::from([("table", word(table)), ("bucket", word(bucket))]),
    };
    let (status, message) = if well { (200, "All is well") } else { (503, "A part of the stack does not answer") };
    let mut answer = Answer::envelope(status, message, &health, request.now);
    answer.body["success"] = well.into();
    Ok(answer)
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    vec![Operation::new::<Health>("GET /api/health", "Ask whether the stack is well").in_envelope().for_anyone()]
}
