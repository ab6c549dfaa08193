//! Wires `key-rotate`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use key_rotate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, keys: start.table()?, mint: start.key_mint().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
