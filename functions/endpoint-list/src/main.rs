//! Wires `endpoint-list`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use endpoint_list::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, endpoints: start.table()?, paging: start.paging().await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
