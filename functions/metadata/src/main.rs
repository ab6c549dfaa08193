//! Wires `metadata`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use metadata::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { users: start.session_verifier()?, files: start.table()? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
