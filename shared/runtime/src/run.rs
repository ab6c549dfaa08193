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
use crate::ending::Ending;
use crate::log::{self, Level};
use crate::settings::EnvVars;
use crate::start::Start;
use crate::wire::Wiring;

/// How long a start may take. Lambda ends it after ten seconds, without saying what it waited for.
///
/// Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle".
const INIT: Duration = Duration::from_secs(9);

/// The future that handles one event, boxed.
pub(crate) type Work<'a, R> = Pin<Box<dyn Future<Output = Result<R, lambda_runtime::Error>> + Send + 'a>>;

/// Runs a function: wires it, then processes events until Lambda ends it.
///
/// With the argument `--settings` it prints the settings the function reads instead.
pub(crate) fn run<F, E, R>(
    name: &'static str,
    wire: impl FnOnce(&Start) -> Wiring<F>,
    process: for<'a> fn(&'a F, E, SystemTime) -> Work<'a, R>,
) -> ExitCode
where
    F: Send + Sync + 'static,
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
        let start = Start::new(environment);
        let function = match InvocationBudget::new(INIT).run(async { wire(&start)?.await }).await {
            Ok(function) => function,
            Err(error) => return failed(name, &error),
        };
        if describing {
            let settings = start.environment().asked_for();
            let lines = settings.iter().map(|setting| format!("{}\t{}", setting.name, setting.doc));
            log::write(&lines.collect::<Vec<_>>().join("\n"));
            return ExitCode::SUCCESS;
        }
        start.open_connections().await;
        let function = Arc::new(function);
        let service = service_fn(move |event: LambdaEvent<E>| {
            let function = function.clone();
            async move {
                let deadline = event.context.deadline();
                let work = process(&function, event.payload, deadline);
                budget::traced(event.context.xray_trace_id, work).await
            }
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
