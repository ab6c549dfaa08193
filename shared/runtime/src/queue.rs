//! Messages of a queue.

use std::process::ExitCode;

use consigne_core::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::batch::{Batch, Outcome, Record};
use crate::log::RequestLog;
use crate::run::WireHandler;

/// One message. SQS moves a message that keeps failing to the dead-letter queue.
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

/// A message as it stands in Lambda's event. Source: AWS Lambda developer guide, "Using Lambda with Amazon SQS".
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RawMessage {
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

impl Record for Message {
    type Raw = RawMessage;
    const NOUN: &'static str = "message";
    const ORDERED: bool = false;

    fn serve(name: &'static str, wire: WireHandler<Batch<RawMessage>, Outcome>) -> ExitCode {
        crate::run::run(name, wire, None)
    }

    fn read(raw: RawMessage, now: Timestamp) -> Self {
        let receives = raw.attributes.approximate_receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
        Self { body: raw.body, id: raw.message_id, receives, now, log: RequestLog::default() }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("message.id".to_owned(), self.id.as_str().into());
        fields.insert("message.receives".to_owned(), self.receives.into());
        fields
    }

    fn log(&self) -> &RequestLog {
        &self.log
    }
}
