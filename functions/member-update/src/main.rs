//! Wires `member-update`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use member_update::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { users: start.session_verifier()?, orgs: start.table()? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
