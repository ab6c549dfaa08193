//! Wires `endpoint-rotate`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use endpoint_rotate::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let secrets = start.endpoint_secrets().await?;
        Ok(Deps { users: start.session_verifier()?, endpoints: start.table()?, secrets })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
