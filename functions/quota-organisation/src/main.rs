//! Wires `quota-organisation`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue, settings};
use quota_organisation::{Deps, handle};

fn main() -> ExitCode {
    let wire =
        async |start: &Start| Ok(Deps { accounts: start.table()?, queue: start.queue(&settings::QUOTA_QUEUE_URL)? });
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
