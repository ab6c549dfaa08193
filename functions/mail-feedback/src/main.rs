//! Wires `mail-feedback`.

use std::process::ExitCode;

use consigne_runtime::{Start, queue};
use mail_feedback::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()? });
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
