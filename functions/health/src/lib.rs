//! Reports whether the stack is healthy: whether the table and the bucket answer.

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// `ok` for each part. If one is `unreachable`, the answer is a 503 with the same object under `error.details`.
    pub checks: BTreeMap<&'static str, &'static str>,
}

/// `Retry-After` of a failed check.
const RETRY_AFTER: Duration = Duration::from_secs(5);

function! {
    table: A::Table = table(),
    bucket: A::Bucket = bucket(),
}

impl<A: Adapters<Table: Probe, Bucket: Probe>> HttpFunction for Function<A> {
    /// Answers 200 if all parts are reachable, else 503 with the parts that are not.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (table, bucket) = tokio::join!(self.table.probe(), self.bucket.probe());
        let well = table.is_ok() && bucket.is_ok();
        for (part, outcome) in [("health.table", &table), ("health.bucket", &bucket)] {
            if let Err(fault) = outcome {
                request.log.field(part, fault.chain());
            }
        }
        let word = |outcome: Result<(), Fault>| if outcome.is_ok() { "ok" } else { "unreachable" };
        let checks = BTreeMap::from([("table", word(table)), ("bucket", word(bucket))]);
        if !well {
            let fault = Fault::new(Code::Unavailable, "A part of the stack does not answer").detail("checks", checks);
            return Err(fault.retry_after(RETRY_AFTER));
        }
        let health = Health { status: "ok", version: env!("CARGO_PKG_VERSION"), checks };
        Ok(Answer::envelope(200, "All is well", &health, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = |route, summary| Operation::new::<Health>(route, summary).in_envelope().for_anyone();
        vec![
            operation("GET /api/health", "Check the health of the stack"),
            operation("HEAD /api/health", "Check the health of the stack, answered without a body"),
        ]
    }
}
