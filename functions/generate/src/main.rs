//! Wires `generate`.

use std::process::ExitCode;

use consigne_runtime::{Start, http, settings};
use generate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let public_url = start.environment().optional(&settings::PUBLIC_URL);
        Ok(Deps { users: start.session_verifier()?, jobs: start.table()?, public_url })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
