//! Wires `webhook-stripe`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use webhook_stripe::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { credits: start.table()?, secrets: start.stripe_secrets().await? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
