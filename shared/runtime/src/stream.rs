//! Changes of the table, from its stream.

use std::process::ExitCode;

use consigne_core::Timestamp;
use serde_json::{Map, Value};

use crate::batch::{Batch, Outcome, Record};
use crate::log::RequestLog;
use crate::run::WireHandler;

/// One change of the table. Source: AWS Lambda developer guide, "Using AWS Lambda with Amazon DynamoDB".
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

impl Record for Change {
    type Raw = Value;
    const NOUN: &'static str = "change";
    const ORDERED: bool = true;

    fn serve(name: &'static str, wire: WireHandler<Batch<Value>, Outcome>) -> ExitCode {
        crate::run::run(name, wire, None)
    }

    fn read(raw: Value, now: Timestamp) -> Self {
        Self { new_image: raw["dynamodb"]["NewImage"].clone(), raw, now, log: RequestLog::default() }
    }

    fn id(&self) -> &str {
        self.raw["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default()
    }

    fn fields(&self) -> Map<String, Value> {
        Map::from_iter([("stream.sequence_number".to_owned(), self.id().into())])
    }

    fn log(&self) -> &RequestLog {
        &self.log
    }
}
