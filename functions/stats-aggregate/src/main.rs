//! Wires `stats-aggregate`.

use std::process::ExitCode;

use consigne_runtime::{Start, schedule, settings};
use stats_aggregate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { orgs: start.table()?, queue: start.queue(&settings::STATS_QUEUE_URL)? });
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
