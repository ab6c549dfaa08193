//! A function's whole life: it is wired, then processes events until Lambda ends it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use consigne_aws::budget::{self, InvocationBudget};
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::ending::{Ending, end_environment};
use crate::log::{self, Level};
use crate::settings::EnvVars;
use crate::start::Start;
use crate::wire::Wiring;

/// How long a start may take. Lambda ends it after ten seconds, without saying what it waited for.
///
/// Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle".
const INIT: Duration = Duration::from_secs(9);

/// Handles one event. The outcome is the invocation's answer.
///
/// Boxed, so that [`run`] depends on the kind of event alone and not on the function. It is then compiled once, with
/// this crate, instead of once more for every function.
pub type Handler<E, R> = Box<dyn Fn(E, SystemTime) -> Handling<R> + Send + Sync>;

/// An event while it is handled.
pub type Handling<R> = Pin<Box<dyn Future<Output = Result<R, lambda_runtime::Error>> + Send>>;

/// Wires a function, and gives what handles its events.
pub type WireHandler<E, R> = Box<dyn FnOnce(&Start) -> Wiring<Handler<E, R>>>;

/// Makes a handler of a function and of what it does with one event.
pub(crate) fn handler<F, E, R, W>(function: F, process: fn(Arc<F>, E, SystemTime) -> W) -> Handler<E, R>
where
    F: Send + Sync + 'static,
    E: 'static,
    R: 'static,
    W: Future<Output = Result<R, lambda_runtime::Error>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |event, deadline| Box::pin(process(function.clone(), event, deadline)))
}

/// Answers events in place of a function that could not start. Given the name of the function.
pub(crate) type Substitute<E, R> = fn(&'static str) -> Handler<E, R>;

/// Runs a function: wires it, then processes events until Lambda ends it.
///
/// If it cannot be wired, because a secret cannot be read or a setting is wrong, its substitute answers one event, and the
/// process ends, so that the next event finds a new start. Without a substitute the process ends at once.
///
/// With the argument `--settings` it prints the settings the function reads instead.
pub(crate) fn run<E, R>(name: &'static str, wire: WireHandler<E, R>, substitute: Option<Substitute<E, R>>) -> ExitCode
where
    E: for<'de> Deserialize<'de> + Send + 'static,
    R: Serialize + Send + 'static,
{
    let describing = std::env::args().nth(1).as_deref() == Some("--settings");
    let environment = if describing { EnvVars::describing() } else { EnvVars::process() };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(name, &error),
    };
    runtime.block_on(async {
        log::learn_stack(&environment.variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(), name);
        log::learn_version(&environment.variable("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_default());
        let start = Start::new(environment);
        let wired = match wire(&start) {
            Ok(pending) => InvocationBudget::new(INIT).run(pending).await,
            Err(error) => Err(error),
        };
        let handler = match wired {
            Ok(handler) => handler,
            Err(error) => match substitute.filter(|_| !describing) {
                None => return failed(name, &error),
                Some(substitute) => {
                    failed(name, &error);
                    end_environment();
                    substitute(name)
                }
            },
        };
        if describing {
            let settings = start.environment().asked_for();
            let lines = settings.iter().map(|setting| format!("{}\t{}", setting.name, setting.doc));
            log::write(&lines.collect::<Vec<_>>().join("\n"));
            return ExitCode::SUCCESS;
        }
        start.open_connections().await;
        let handler = Arc::new(handler);
        let service = service_fn(move |event: LambdaEvent<E>| {
            let work = handler(event.payload, event.context.deadline());
            budget::traced(event.context.xray_trace_id, work)
        });
        match Runtime::new(service).layer(layer_fn(Ending::after)).run_concurrent().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(name, &*error),
        }
    })
}

/// Logs why a function ends, before Lambda starts it again.
fn failed(name: &str, error: &dyn Error) -> ExitCode {
    let mut fields = serde_json::Map::new();
    fields.insert("error.chain".to_owned(), error.to_string().into());
    log::write(&log::line(Level::Error, name, "The function cannot run", clock::now(), fields));
    ExitCode::FAILURE
}
