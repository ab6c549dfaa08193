//! Wires `key-verify`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use key_verify::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { keys: start.table()?, services: start.service_tokens().await?, finder: start.key_finder().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
