//! Wires `job-status`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use job_status::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, jobs: start.table()?, tickets: start.presigner()? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
