//! Receives the events of a schedule, called ticks.

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use consigne_core::{Fault, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::adapters::AwsAdapters;
use crate::clock;
use crate::invocation::Invocation;
use crate::log::RequestLog;
use crate::run::{WireHandler, handler};
use crate::start::Start;
use crate::wire::{Named, Wire};

/// A function behind a schedule.
pub trait ScheduleFunction: Named {
    /// Processes one tick. Returns the invocation's answer.
    ///
    /// # Errors
    /// If the work could not be done. Lambda then invokes the function again, up to twice.
    fn handle(&self, tick: &Tick) -> impl Future<Output = Result<Value, Fault>> + Send;
}

/// A tick of the schedule.
#[derive(Debug)]
pub struct Tick {
    /// The time of the tick: the event's own `time`, so that a late or repeated tick does the same work. A `time` ahead
    /// counts as the current time, because nothing may be revoked or deleted before it is due.
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

impl Scheduled {
    /// Returns the event's `time`, if it has a valid one.
    pub fn time(&self) -> Option<Timestamp> {
        self.time.as_deref().and_then(Timestamp::parse)
    }
}

/// Runs a function behind a schedule.
pub fn run<F: ScheduleFunction + Wire<AwsAdapters>>() -> ExitCode {
    let wire = |start: &Start| {
        Ok(F::wire(start)?.map(|function| {
            handler(function, |function: Arc<F>, event, deadline| async move {
                Ok(process(&*function, &event, deadline).await?)
            })
        }))
    };
    serve(F::NAME, Box::new(wire))
}

/// Receives ticks. Not generic, so that it is compiled once.
fn serve(name: &'static str, wire: WireHandler<Scheduled, Value>) -> ExitCode {
    crate::run::run(name, wire, None)
}

/// Processes one tick. Returns the invocation's answer.
///
/// # Errors
/// Those of the function's `handle`; `INTERNAL` if it panics; `UNAVAILABLE` if it misses the deadline.
pub async fn process<F: ScheduleFunction>(
    function: &F,
    event: &Scheduled,
    deadline: SystemTime,
) -> Result<Value, Fault> {
    process_at(function, event, deadline, clock::now()).await
}

/// Like [`process`], with a current time of the caller's choice for the tick, for simulations. The deadline stays one of
/// the machine's clock.
///
/// # Errors
/// Those of [`process`].
pub async fn process_at<F: ScheduleFunction>(
    function: &F,
    event: &Scheduled,
    deadline: SystemTime,
    clock: Timestamp,
) -> Result<Value, Fault> {
    let now = event.time().map_or(clock, |time| time.min(clock));
    let tick = Tick { now, log: RequestLog::default() };
    let began = clock::now();
    let invocation = Invocation::begin(F::NAME, deadline, began);
    let verdict = invocation.run(pin!(function.handle(&tick))).await;
    let mut fields = Map::new();
    fields.insert("schedule.time".to_owned(), now.to_string().into());
    let sentence = if verdict.is_ok() { "A tick was processed" } else { "A tick failed" };
    invocation.finish(sentence, verdict.as_ref().err(), fields, &tick.log, began);
    verdict
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    /// Returns the time of its tick.
    struct Echo;

    impl Named for Echo {
        const NAME: &'static str = "echo";
    }

    impl ScheduleFunction for Echo {
        async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
            Ok(tick.now.to_string().into())
        }
    }

    #[tokio::test]
    async fn a_tick_is_never_ahead_of_the_clock() {
        let clock = Timestamp::parse("2026-11-21T10:30:00Z").unwrap();
        for (event, want) in [
            (json!({ "time": "2026-11-20T10:30:00Z" }), "2026-11-20T10:30:00Z"),
            (json!({ "time": "2026-11-21T10:30:00Z" }), "2026-11-21T10:30:00Z"),
            (json!({ "time": "2026-11-21T10:30:01Z" }), "2026-11-21T10:30:00Z"),
            (json!({ "time": "2027-01-01T00:00:00Z" }), "2026-11-21T10:30:00Z"),
            (json!({ "time": "tomorrow" }), "2026-11-21T10:30:00Z"),
            (json!({}), "2026-11-21T10:30:00Z"),
        ] {
            let scheduled = serde_json::from_value(event.clone()).unwrap();
            let deadline = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365_000);
            assert_eq!(process_at(&Echo, &scheduled, deadline, clock).await.unwrap(), want, "{event}");
        }
    }
}
