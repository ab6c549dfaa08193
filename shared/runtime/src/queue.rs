//! Receives messages from a queue. The loop is here, so a handler sees one message.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::SystemTime;

use consigne_core::{Fault, Timestamp};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::clock;
use crate::invocation::Invocation;
use crate::log::RequestLog;
use crate::start::{self, Start, StartError};

/// The future of a handler for one message.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// A message of the queue.
#[derive(Debug)]
pub struct Message {
    /// Its body, as it was sent.
    pub body: String,
    /// SQS's id of the message, the same on every delivery.
    pub id: String,
    /// How often it has been delivered, including this time.
    pub receives: u32,
    /// When this delivery started.
    pub now: Timestamp,
    /// What the handler adds to the log line.
    pub log: RequestLog,
}

/// The batch that Lambda delivers. Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS".
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: Option<String>,
}

/// The answer to Lambda. Only the messages that failed are delivered again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Messages or stream records to be delivered again.
    pub batch_item_failures: Vec<Failure>,
}

/// A failed message, or the stream record from which delivery starts again.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Message id or sequence number.
    pub item_identifier: String,
}

/// Runs a function behind a queue.
pub fn serve<D, H>(name: &'static str, wire: impl AsyncFnOnce(&Start) -> Result<D, StartError>, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    H: for<'a> Fn(&'a D, &'a Message) -> Handling<'a> + Send + Sync + 'static,
{
    start::serve(name, wire, handle, |name, deps, handle, batch, deadline| {
        Box::pin(async move { Ok(process(name, deps, handle, batch, deadline).await) })
    })
}

/// Processes a batch, with its messages in parallel. Only a message that fails, panics or runs out of time is delivered
/// again. After its last receive SQS moves it to the dead-letter queue.
pub async fn process<D, H>(name: &str, deps: &D, handle: &H, batch: Batch, deadline: SystemTime) -> Outcome
where
    H: for<'a> Fn(&'a D, &'a Message) -> Handling<'a>,
{
    let verdicts = join_all(batch.records.into_iter().map(|record| async move {
        let now = clock::now();
        let receives = record.attributes.approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
        let message = Message { body: record.body, id: record.message_id, receives, now, log: RequestLog::default() };
        let invocation = Invocation::begin(name, deadline, now);
        let verdict = invocation.run(handle(deps, &message)).await;
        let mut fields = Map::new();
        fields.insert("message.id".to_owned(), message.id.as_str().into());
        fields.insert("message.receives".to_owned(), message.receives.into());
        let sentence = if verdict.is_ok() { "A message was processed" } else { "A message failed and will come back" };
        invocation.finish(sentence, verdict.as_ref().err(), fields, &message.log, now);
        verdict.is_err().then_some(Failure { item_identifier: message.id })
    }));
    Outcome { batch_item_failures: verdicts.await.into_iter().flatten().collect() }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
