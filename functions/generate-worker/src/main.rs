//! Wires `generate-worker`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue, settings};
use generate_worker::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (table, objects) = (start.table()?, start.bucket()?);
        let queue = start.queue(&settings::TEXT_QUEUE_URL)?;
        Ok(Deps { table, objects, model: start.language_model().await?, queue })
    };
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
