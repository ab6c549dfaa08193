//! Wires `stats-aggregate`.

use std::process::ExitCode;

use consigne_runtime::{Start, schedule, settings};
use stats_aggregate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let queue = start.queue(&settings::STATS_QUEUE_URL)?;
        Ok(Deps { orgs: start.table()?, queue, storage: start.queue(&settings::STORAGE_QUEUE_URL)? })
    };
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
