//! Receives batches from a queue or from the table's stream. The loop is here; a handler sees one record.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use consigne_core::{Fault, Timestamp};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::adapters::AwsAdapters;
use crate::clock;
use crate::invocation::Invocation;
use crate::log::RequestLog;
use crate::run::{WireHandler, handler};
use crate::start::Start;
use crate::wire::{Named, Wire};

/// A function behind a queue or the table's stream.
pub trait BatchFunction: Named {
    /// One record of its batches: [`Message`](crate::queue::Message) or [`Change`](crate::stream::Change).
    type Record: Record;

    /// Processes one record.
    ///
    /// # Errors
    /// If the record is malformed, or cannot be processed now. Lambda then delivers it again. A message that keeps
    /// failing ends on the dead-letter queue.
    fn handle(&self, record: &Self::Record) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// One record of a batch.
pub trait Record: Send + Sync + Sized {
    /// The record as it stands in Lambda's event.
    type Raw: for<'de> Deserialize<'de> + Send + 'static;
    /// The word for a record in log lines.
    const NOUN: &'static str;
    /// Whether Lambda redelivers all records after a failed one too. Then only the first failure is reported to it.
    const ORDERED: bool;

    /// Receives batches. Each kind of record has its own, not generic, so that it is compiled once.
    fn serve(name: &'static str, wire: WireHandler<Batch<Self::Raw>, Outcome>) -> ExitCode;

    /// Parses a record. `now` is when this delivery started.
    fn read(raw: Self::Raw, now: Timestamp) -> Self;
    /// Returns the id under which a failure is reported to Lambda.
    fn id(&self) -> &str;
    /// Returns the fields that identify the record in its log line.
    fn fields(&self) -> Map<String, Value>;
    /// Returns the fields and metrics that its handler adds to that line.
    fn log(&self) -> &RequestLog;
}

/// The event with which Lambda invokes the function.
#[derive(Debug, Deserialize)]
pub struct Batch<R> {
    #[serde(rename = "Records")]
    records: Vec<R>,
}

/// The answer to Lambda, which names the records that failed. Lambda delivers only those again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The failed messages, or the first failed record of a stream.
    pub batch_item_failures: Vec<Failure>,
}

/// One failed record.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Message id or sequence number.
    pub item_identifier: String,
}

/// Runs a function behind a queue or the table's stream.
pub fn run<F: BatchFunction + Wire<AwsAdapters>>() -> ExitCode {
    let wire = |start: &Start| {
        Ok(F::wire(start)?.map(|function| {
            handler(function, |function: Arc<F>, batch, deadline| async move {
                Ok(process(&*function, batch, deadline).await)
            })
        }))
    };
    F::Record::serve(F::NAME, Box::new(wire))
}

/// Processes the records of a batch concurrently. A record that fails, panics or runs out of time is delivered again.
/// The others are not, except for records of a stream that follow it.
pub async fn process<F: BatchFunction>(
    function: &F,
    batch: Batch<<F::Record as Record>::Raw>,
    deadline: SystemTime,
) -> Outcome {
    let verdicts = join_all(batch.records.into_iter().map(|raw| async move {
        let now = clock::now();
        let record = F::Record::read(raw, now);
        let invocation = Invocation::begin(F::NAME, deadline, now);
        let verdict = invocation.run(pin!(function.handle(&record))).await;
        let outcome = if verdict.is_ok() { "was processed" } else { "failed and will come back" };
        if verdict.is_err() {
            // Lambda counts a batch with failed records as a success.
            record.log().count("RecordsFailed");
        }
        let sentence = format!("A {} {outcome}", F::Record::NOUN);
        invocation.finish(&sentence, verdict.as_ref().err(), record.fields(), record.log(), now);
        verdict.is_err().then(|| Failure { item_identifier: record.id().to_owned() })
    }));
    let failures = verdicts.await.into_iter().flatten();
    let reported = if F::Record::ORDERED { 1 } else { usize::MAX };
    Outcome { batch_item_failures: failures.take(reported).collect() }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
