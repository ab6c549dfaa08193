//! Wires `health`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use health::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()?, bucket: start.bucket()? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
