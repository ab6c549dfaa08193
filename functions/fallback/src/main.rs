//! Wires `fallback`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use fallback::handle;

fn main() -> ExitCode {
    let wire = async |_: &Start| Ok(());
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
