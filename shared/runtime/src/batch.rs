//! Receiving batches, of a queue or of the table's stream: the loop is here, a handler sees one record.

use std::future::Future;
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
    /// What its batches consist of: [`Message`](crate::queue::Message) or [`Change`](crate::stream::Change).
    type Record: Record;

    /// Processes one record.
    ///
    /// # Errors
    /// When it is malformed, or cannot be processed now; it comes again. A message that fails again and again ends on the
    /// dead-letter queue.
    fn handle(&self, record: &Self::Record) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// One record of a batch.
pub trait Record: Send + Sync + Sized {
    /// How Lambda hands it over.
    type Raw: for<'de> Deserialize<'de> + Send + 'static;
    /// What the log calls it.
    const NOUN: &'static str;
    /// Whether Lambda delivers everything behind a failure again, so that it is told of the first one alone.
    const ORDERED: bool;

    /// Receives batches. Each kind of record has its own, not generic, so that it is compiled once.
    fn serve(name: &'static str, wire: WireHandler<Batch<Self::Raw>, Outcome>) -> ExitCode;

    /// Reads it, as of the moment this delivery began.
    fn read(raw: Self::Raw, now: Timestamp) -> Self;
    /// Returns the id by which Lambda is told that it failed.
    fn id(&self) -> &str;
    /// Returns the fields that each of its lines in the log has.
    fn fields(&self) -> Map<String, Value>;
    /// Returns what its handler adds to that line.
    fn log(&self) -> &RequestLog;
}

/// What Lambda hands over.
#[derive(Debug, Deserialize)]
pub struct Batch<R> {
    #[serde(rename = "Records")]
    records: Vec<R>,
}

/// What Lambda is told: what failed, and nothing else, comes back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Messages to be delivered again, or the stream record from which on to do so.
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

/// Processes a batch, its records side by side. A record that fails, panics or runs out of time is the only one to come
/// back; of a stream those behind it do as well.
pub async fn process<F: BatchFunction>(
    function: &F,
    batch: Batch<<F::Record as Record>::Raw>,
    deadline: SystemTime,
) -> Outcome {
    let verdicts = join_all(batch.records.into_iter().map(|raw| async move {
        let now = clock::now();
        let record = F::Record::read(raw, now);
        let invocation = Invocation::begin(F::NAME, deadline, now);
        let verdict = invocation.run(function.handle(&record)).await;
        let outcome = if verdict.is_ok() { "was processed" } else { "failed and will come back" };
        let sentence = format!("A {} {outcome}", F::Record::NOUN);
        invocation.finish(&sentence, verdict.as_ref().err(), record.fields(), record.log(), now);
        verdict.is_err().then(|| Failure { item_identifier: record.id().to_owned() })
    }));
    let failures = verdicts.await.into_iter().flatten();
    let told = if F::Record::ORDERED { 1 } else { usize::MAX };
    Outcome { batch_item_failures: failures.take(told).collect() }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
