//! Wires `upload-grant`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use upload_grant::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { users: start.session_verifier()?, files: start.table()?, tickets: start.presigner()? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
