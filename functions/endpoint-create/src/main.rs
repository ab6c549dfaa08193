//! Wires `endpoint-create`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use endpoint_create::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (users, endpoints) = (start.session_verifier()?, start.table()?);
        let (secrets, private) = (start.endpoint_secrets().await?, start.private_endpoints());
        Ok(Deps { users, endpoints, resolver: start.courier(), secrets, private })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
