//! Wires `sweep`.

use std::process::ExitCode;

use consigne_runtime::{Start, schedule};
use sweep::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()?, objects: start.bucket()?, bus: start.bus()? });
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
