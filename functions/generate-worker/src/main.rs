//! Wires `generate-worker`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue, settings};
use generate_worker::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let model = start.language_model().await?;
        let queue = start.queue(&settings::TEXT_QUEUE_URL)?;
        Ok(Deps { table: start.table()?, objects: start.bucket()?, model, queue })
    };
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
