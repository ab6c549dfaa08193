//! Wires `stats-storage`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue, settings};
use stats_storage::{Deps, handle};

fn main() -> ExitCode {
    let wire =
        async |start: &Start| Ok(Deps { ledgers: start.table()?, queue: start.queue(&settings::STORAGE_QUEUE_URL)? });
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
