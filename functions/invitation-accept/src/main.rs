//! Wires `invitation-accept`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use invitation_accept::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, orgs: start.table()?, tokens: start.invitation_tokens().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
