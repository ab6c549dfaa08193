//! Receives the table's stream. The loop is here, so a handler sees one record.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::SystemTime;

use consigne_core::{Fault, Timestamp};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock;
use crate::invocation::Invocation;
use crate::log::RequestLog;
use crate::queue::{Failure, Outcome};
use crate::start::{self, Start, StartError};

/// The future of a handler for one record.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// A change of an item in the table.
#[derive(Debug)]
pub struct Change {
    /// The item after the change, in DynamoDB's JSON.
    pub new_image: Value,
    /// The whole record, in case it must be parked.
    pub raw: Value,
    /// When this delivery started.
    pub now: Timestamp,
    /// What the handler adds to the log line.
    pub log: RequestLog,
}

/// The batch that Lambda delivers. Source: AWS Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB".
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// Runs a function behind the table's stream.
pub fn serve<D, H>(name: &'static str, wire: impl AsyncFnOnce(&Start) -> Result<D, StartError>, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    H: for<'a> Fn(&'a D, &'a Change) -> Handling<'a> + Send + Sync + 'static,
{
    start::serve(name, wire, handle, |name, deps, handle, batch, deadline| {
        Box::pin(async move { Ok(process(name, deps, handle, batch, deadline).await) })
    })
}

/// Processes a batch, with its records in parallel. Lambda delivers again from the first failed record on, so only that
/// one is reported.
pub async fn process<D, H>(name: &str, deps: &D, handle: &H, batch: Batch, deadline: SystemTime) -> Outcome
where
    H: for<'a> Fn(&'a D, &'a Change) -> Handling<'a>,
{
    let verdicts = join_all(batch.records.into_iter().map(|raw| async move {
        let now = clock::now();
        let sequence = raw["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
        let change = Change { new_image: raw["dynamodb"]["NewImage"].clone(), raw, now, log: RequestLog::default() };
        let invocation = Invocation::begin(name, deadline, now);
        let verdict = invocation.run(handle(deps, &change)).await;
        let mut fields = Map::new();
        fields.insert("stream.sequence_number".to_owned(), sequence.as_str().into());
        let sentence = if verdict.is_ok() { "A change was processed" } else { "A change failed and will come back" };
        invocation.finish(sentence, verdict.as_ref().err(), fields, &change.log, now);
        verdict.is_err().then_some(Failure { item_identifier: sequence })
    }));
    Outcome { batch_item_failures: verdicts.await.into_iter().flatten().take(1).collect() }
}
