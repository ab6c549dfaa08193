//! Wires `migration-deadline`.

use std::process::ExitCode;

use consigne_runtime::{Start, schedule};
use migration_deadline::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()? });
    schedule::serve(env!("CARGO_PKG_NAME"), wire, |deps, tick| Box::pin(handle(deps, tick)))
}
