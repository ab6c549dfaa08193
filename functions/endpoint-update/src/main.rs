//! Wires `endpoint-update`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use endpoint_update::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (private, resolver) = (start.private_endpoints(), start.courier());
        Ok(Deps { users: start.session_verifier()?, endpoints: start.table()?, resolver, private })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
