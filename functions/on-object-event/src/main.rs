//! Wires `on-object-event`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue};
use on_object_event::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { files: start.table()?, objects: start.bucket()? });
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
