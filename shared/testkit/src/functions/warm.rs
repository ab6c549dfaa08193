//! Execution environments for simulations: a function that is wired once, keeps what it caches, and handles one event
//! after another at times of the simulation.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consigne_core::{Fault, Timestamp};
use consigne_runtime::batch::Record as _;
use consigne_runtime::http::{Body, fault_answer};
use consigne_runtime::invocation::Invocation;
use consigne_runtime::log::RequestLog;
use consigne_runtime::schedule::Tick;
use consigne_runtime::{BatchFunction, HttpFunction, Request, ScheduleFunction, Start, Wire, Wiring};
use serde_json::{Map, Value, json};

use super::Fakes;
use super::registry::{read, wired};

/// Time of an invocation, by the machine's clock. No simulated invocation comes near it.
const DEADLINE: Duration = Duration::from_mins(10);

/// A function while it is wired.
pub(super) type Warming = Pin<Box<dyn Future<Output = Environment> + Send>>;
/// A running invocation.
type Running = Pin<Box<dyn Future<Output = Handled> + Send>>;

/// What came of an event.
#[derive(Debug)]
pub struct Handled {
    /// The answer to an HTTP request, as `status` and `body`; what a tick reports. Null for a message.
    pub answer: Value,
    /// The fault, if it failed.
    pub fault: Option<Fault>,
    /// What the handler added to its log line.
    pub log: Map<String, Value>,
}

/// An execution environment of one function.
#[derive(Clone)]
pub struct Environment(Arc<dyn Fn(Value, Timestamp) -> Running + Send + Sync>);

impl Environment {
    /// Handles an event at a time: an HTTP event, one record of a batch, or a tick.
    pub fn handle(&self, event: Value, now: Timestamp) -> impl Future<Output = Handled> + Send + use<> {
        (self.0)(event, now)
    }
}

/// Starts an environment of the function with this name.
pub async fn environment(start: &Start<Fakes>, name: &str) -> Environment {
    (super::function(name).warm)(start).await
}

fn kept<F, W, R>(wiring: Wiring<F>, handle: W) -> Warming
where
    F: Send + Sync + 'static,
    W: Fn(Arc<F>, Value, Timestamp) -> R + Send + Sync + 'static,
    R: Future<Output = Handled> + Send + 'static,
{
    Box::pin(async move {
        let function = Arc::new(wired(wiring).await);
        Environment(Arc::new(move |event, now| Box::pin(handle(function.clone(), event, now))))
    })
}

pub(super) fn http<F: HttpFunction + Wire<Fakes>>(start: &Start<Fakes>) -> Warming {
    kept(F::wire(start), |function: Arc<F>, event, now| async move {
        let request = Request::from_event(read(event, "an HTTP event"), now);
        let (answer, fault) = match begin::<F>(now).run(pin!(function.handle(&request))).await {
            Ok(answer) => (answer, None),
            Err(fault) => (fault_answer(&fault, &request.id, now), Some(fault)),
        };
        let body = match answer.body {
            Body::Json(body) => body,
            Body::Relayed(_, bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            Body::Empty | Body::Html(_) => Value::Null,
        };
        Handled { answer: json!({ "status": answer.status, "body": body }), fault, log: fields::<F>(&request.log, now) }
    })
}

pub(super) fn batch<F: BatchFunction + Wire<Fakes>>(start: &Start<Fakes>) -> Warming {
    kept(F::wire(start), |function: Arc<F>, event, now| async move {
        let raw = serde_json::from_value(event).expect("the payload is a record");
        let record = F::Record::read(raw, now);
        let fault = begin::<F>(now).run(pin!(function.handle(&record))).await.err();
        Handled { answer: Value::Null, fault, log: fields::<F>(record.log(), now) }
    })
}

pub(super) fn schedule<F: ScheduleFunction + Wire<Fakes>>(start: &Start<Fakes>) -> Warming {
    kept(F::wire(start), |function: Arc<F>, _, now| async move {
        let tick = Tick { now, log: RequestLog::default() };
        let (answer, fault) = match begin::<F>(now).run(pin!(function.handle(&tick))).await {
            Ok(answer) => (answer, None),
            Err(fault) => (Value::Null, Some(fault)),
        };
        Handled { answer, fault, log: fields::<F>(&tick.log, now) }
    })
}

fn begin<F: consigne_runtime::Named>(now: Timestamp) -> Invocation<'static> {
    let since_epoch = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
    let deadline: SystemTime = UNIX_EPOCH + since_epoch + DEADLINE;
    Invocation::begin(F::NAME, deadline, now)
}

fn fields<F: consigne_runtime::Named>(log: &RequestLog, now: Timestamp) -> Map<String, Value> {
    log.take(F::NAME, now)
}
