//! Wires `endpoint-rotate`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use endpoint_rotate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (users, endpoints) = (start.session_verifier()?, start.table()?);
        Ok(Deps { users, endpoints, secrets: start.endpoint_secrets().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
