//! Wires `anomaly-detect`.

use std::process::ExitCode;

use anomaly_detect::{Deps, handle};
use consigne_runtime::{Start, schedule};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()? });
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
