//! Wires `sweep`.

use std::process::ExitCode;

use consigne_runtime::{Start, schedule, settings};
use sweep::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let deliveries = start.queue(&settings::DELIVERIES_QUEUE_URL)?;
        Ok(Deps { table: start.table()?, objects: start.bucket()?, bus: start.bus()?, deliveries })
    };
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
