//! Receives the ticks of a schedule.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::SystemTime;

use consigne_core::{Fault, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock;
use crate::invocation::Invocation;
use crate::log::RequestLog;
use crate::start::{self, Start, StartError};

/// The future of a handler for one tick. Its result is the invocation's answer.
pub type Handling<'a> = Pin<Box<dyn Future<Output = Result<Value, Fault>> + Send + 'a>>;

/// A tick of the schedule.
#[derive(Debug)]
pub struct Tick {
    /// The time of the tick: the event's own `time`, so that a late or repeated tick does the same work.
    pub now: Timestamp,
    /// What the handler adds to the log line.
    pub log: RequestLog,
}

/// The part of a scheduled event that is used. Source: Amazon EventBridge user guide, "Events from schedules".
#[derive(Debug, Deserialize)]
pub struct Scheduled {
    #[serde(default)]
    time: Option<String>,
}

/// Runs a function behind a schedule. A failed tick fails the invocation, which Lambda retries twice.
pub fn serve<D, H>(name: &'static str, wire: impl AsyncFnOnce(&Start) -> Result<D, StartError>, handle: H) -> ExitCode
where
    D: Send + Sync + 'static,
    H: for<'a> Fn(&'a D, &'a Tick) -> Handling<'a> + Send + Sync + 'static,
{
    start::serve(name, wire, handle, |name, deps, handle, event, deadline| {
        Box::pin(async move { Ok(process(name, deps, handle, &event, deadline).await?) })
    })
}

/// Processes one tick.
///
/// # Errors
/// Those of the handler; `INTERNAL` if it panics; `UNAVAILABLE` if it misses the deadline.
pub async fn process<D, H>(
    name: &str,
    deps: &D,
    handle: &H,
    event: &Scheduled,
    deadline: SystemTime,
) -> Result<Value, Fault>
where
    H: for<'a> Fn(&'a D, &'a Tick) -> Handling<'a>,
{
    let clock = clock::now();
    let now = event.time.as_deref().and_then(Timestamp::parse).unwrap_or(clock);
    let tick = Tick { now, log: RequestLog::default() };
    let invocation = Invocation::begin(name, deadline, clock);
    let verdict = invocation.run(handle(deps, &tick)).await;
    let mut fields = Map::new();
    fields.insert("schedule.time".to_owned(), now.to_string().into());
    let sentence = if verdict.is_ok() { "A tick was processed" } else { "A tick failed" };
    invocation.finish(sentence, verdict.as_ref().err(), fields, &tick.log, clock);
    verdict
}
