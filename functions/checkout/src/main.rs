//! Wires `checkout`.

use std::process::ExitCode;

use checkout::{Deps, handle};
use consigne_runtime::{Start, http};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, credits: start.table()?, provider: start.stripe().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
