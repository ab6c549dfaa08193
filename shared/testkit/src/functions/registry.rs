//! Every function there is, on fakes. The list is made from the folders of `functions/` by build.rs.

use std::pin::Pin;
use std::sync::LazyLock;
use std::time::SystemTime;

use consigne_core::Fault;
use consigne_runtime::http::{self, Operation};
use consigne_runtime::{BatchFunction, HttpFunction, ScheduleFunction, Start, Wire, Wiring, batch, schedule};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Fakes;

static FUNCTIONS: LazyLock<Vec<Entry>> = LazyLock::new(|| include!(concat!(env!("OUT_DIR"), "/functions.rs")));

/// A function at work on one event.
type Running = Pin<Box<dyn Future<Output = Result<Value, Fault>> + Send>>;

/// What can be done with a function, whatever its kind.
pub struct Entry {
    /// Its one name.
    pub name: &'static str,
    /// Describes its routes; of a function that answers no HTTP there are none.
    pub operations: fn() -> Vec<Operation>,
    /// Wires it.
    wire: fn(&Start<Fakes>),
    /// Wires it and hands it an event, which it must be done with by a moment; gives what Lambda is told.
    pub(super) run: fn(&Start<Fakes>, Value, SystemTime) -> Running,
}

impl Entry {
    /// Counts the services of AWS that it is a client of.
    pub fn clients(&self) -> usize {
        let start = Fakes::start(&crate::fakes::World::default());
        (self.wire)(&start);
        start.adapters().clients()
    }
}

/// Gives every function, in the order of the alphabet.
pub fn functions() -> &'static [Entry] {
    &FUNCTIONS
}

/// Gives a function by its name.
///
/// # Panics
/// When there is none of that name.
pub fn function(name: &str) -> &'static Entry {
    FUNCTIONS.iter().find(|entry| entry.name == name).unwrap_or_else(|| panic!("there is no function {name}"))
}

/// Makes the entry of the function that something wires.
fn entry<F: Registered<K>, K>(_: fn(&Start<Fakes>) -> Wiring<F>) -> Entry {
    F::entry()
}

/// A function of a kind `K`, which follows from the traits it implements.
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
                Ok(json!(http::respond(&wired(wiring).await, read(event, "an HTTP event"), until).await))
            })
        };
        Entry { name: F::NAME, operations: F::operations, wire: |start| drop(F::wire(start)), run }
    }
}

impl<F: BatchFunction + Wire<Fakes>> Registered<Batch> for F {
    fn entry() -> Entry {
        let run = |start: &Start<Fakes>, event, until| -> Running {
            let wiring = F::wire(start);
            Box::pin(
                async move { Ok(json!(batch::process(&wired(wiring).await, read(event, "a batch"), until).await)) },
            )
        };
        Entry { name: F::NAME, operations: Vec::new, wire: |start| drop(F::wire(start)), run }
    }
}

impl<F: ScheduleFunction + Wire<Fakes>> Registered<Schedule> for F {
    fn entry() -> Entry {
        let run = |start: &Start<Fakes>, event, until| -> Running {
            let wiring = F::wire(start);
            Box::pin(
                async move { schedule::process(&wired(wiring).await, &read(event, "a scheduled event"), until).await },
            )
        };
        Entry { name: F::NAME, operations: Vec::new, wire: |start| drop(F::wire(start)), run }
    }
}

/// Waits for the parts of a function that are read from secrets.
pub(super) async fn wired<F>(wiring: Wiring<F>) -> F {
    let function = wiring.expect("every setting has a value").await;
    function.expect("every secret is well formed")
}

fn read<T: DeserializeOwned>(event: Value, what: &str) -> T {
    serde_json::from_value(event).unwrap_or_else(|error| panic!("the payload is {what}: {error}"))
}
