//! All functions, wired on fakes. build.rs generates the list from the folders of `functions/`.

use std::pin::Pin;
use std::sync::LazyLock;
use std::time::SystemTime;

use consigne_core::Fault;
use consigne_runtime::http::{self, Cdn, Operation};
use consigne_runtime::{BatchFunction, HttpFunction, ScheduleFunction, Start, Wire, Wiring, batch, clock, schedule};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Fakes;
use super::warm::{self, Warming};

static FUNCTIONS: LazyLock<Vec<Entry>> = LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/functions.rs")));

/// A running invocation.
type Running = Pin<Box<dyn Future<Output = Result<Ran, Fault>> + Send>>;

/// What came of an invocation.
pub(super) struct Ran {
    /// The answer to Lambda.
    pub(super) answer: Value,
    /// The log lines, in JSON. Only functions that answer HTTP return them.
    pub(super) lines: Vec<Value>,
}

impl From<Value> for Ran {
    fn from(answer: Value) -> Self {
        Self { answer, lines: Vec::new() }
    }
}

/// A function, with what tests can do with it, whatever its kind.
pub struct Entry {
    /// Name of the function, that of its folder.
    pub name: &'static str,
    /// Describes its routes. Functions that do not answer HTTP have none.
    pub operations: fn() -> Vec<Operation>,
    /// Wires the function and drops it.
    wire: fn(&Start<Fakes>),
    /// Wires the function and runs it on an event, with a deadline. Returns its answer to Lambda.
    pub(super) run: fn(&Start<Fakes>, Value, SystemTime) -> Running,
    /// Wires the function and keeps it, as an execution environment does.
    pub(super) warm: fn(&Start<Fakes>) -> Warming,
}

impl Entry {
    /// Returns the number of AWS services that the function is a client of.
    pub fn clients(&self) -> usize {
        let start = Fakes::start(&crate::fakes::World::default());
        (self.wire)(&start);
        start.adapters().clients()
    }
}

/// Returns all functions, sorted by name.
pub fn functions() -> &'static [Entry] {
    &FUNCTIONS
}

/// Returns the function of a name.
///
/// # Panics
/// If there is none.
pub fn function(name: &str) -> &'static Entry {
    FUNCTIONS.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("there is no function {name}"))
}

/// Builds the entry of a function from its `wire`.
fn entry<F: Registered<K>, K>(_: fn(&Start<Fakes>) -> Wiring<F>) -> Entry {
    F::entry()
}

/// A function of the kind `K`: HTTP, batch or schedule. The compiler infers the kind from the trait that the function
/// implements.
trait Registered<K> {
    fn entry() -> Entry;
}

enum Http {}
enum Batch {}
enum Schedule {}

impl<F: HttpFunction + Wire<Fakes>> Registered<Http> for F {
    fn entry() -> Entry {
        let run = |start: &Start<Fakes>, event, until| -> Running {
            let wiring = F::wire(start);
            Box::pin(async move {
                let (cdn, event) = (testing_cdn(), read(event, "an HTTP event"));
                let behind = match wiring.expect("every setting has a value").await {
                    Ok(function) => http::answered_behind(&cdn, &function, event, until).await,
                    // As the runtime does when a secret cannot be read.
                    Err(_) => http::answered_behind(&cdn, &http::Unstarted, event, until).await,
                };
                let line = |line: &String| serde_json::from_str(line).expect("a log line is JSON");
                Ok(Ran { answer: json!(behind.response), lines: behind.lines.iter().map(line).collect() })
            })
        };
        Entry {
            name: F::NAME,
            operations: F::operations,
            wire: |start| drop(F::wire(start)),
            run,
            warm: warm::http::<F>,
        }
    }
}

impl<F: BatchFunction + Wire<Fakes>> Registered<Batch> for F {
    fn entry() -> Entry {
        let run = |start: &Start<Fakes>, event, until| -> Running {
            let wiring = F::wire(start);
            Box::pin(async move {
                Ok(Ran::from(json!(batch::process(&wired(wiring).await, read(event, "a batch"), until).await)))
            })
        };
        Entry { name: F::NAME, operations: Vec::new, wire: |start| drop(F::wire(start)), run, warm: warm::batch::<F> }
    }
}

impl<F: ScheduleFunction + Wire<Fakes>> Registered<Schedule> for F {
    fn entry() -> Entry {
        let run = |start: &Start<Fakes>, event, until| -> Running {
            let wiring = F::wire(start);
            Box::pin(async move {
                let event: schedule::Scheduled = read(event, "a scheduled event");
                // Tests move time by the event's.
                let clock = event.time().unwrap_or_else(clock::now);
                schedule::process_at(&wired(wiring).await, &event, until, clock).await.map(Ran::from)
            })
        };
        Entry {
            name: F::NAME,
            operations: Vec::new,
            wire: |start| drop(F::wire(start)),
            run,
            warm: warm::schedule::<F>,
        }
    }
}

/// Returns the CDN of the tests. It sends [`super::EDGE_SECRET`], whose SHA-256 this is, and the caller's country.
fn testing_cdn() -> Cdn {
    let hash = "9c04b8acdbd72537a5b5215059e67b87ba4c794fb43b136c9b3431ed6d48871d";
    Cdn::new(hash, None, Some("cloudfront-viewer-country".to_owned())).expect("the hash has 64 digits")
}

/// Completes the wiring of a function: reads its secrets.
pub(super) async fn wired<F>(wiring: Wiring<F>) -> F {
    let function = wiring.expect("every setting has a value").await;
    function.expect("every secret is well formed")
}

pub(super) fn read<T: DeserializeOwned>(event: Value, what: &str) -> T {
    serde_json::from_value(event).unwrap_or_else(|error| panic!("the payload is {what}: {error}"))
}
