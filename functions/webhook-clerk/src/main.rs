//! Wires `webhook-clerk`.

use std::process::ExitCode;

use consigne_runtime::settings::CLERK_SECRETS_ARN;
use consigne_runtime::{Start, http};
use webhook_clerk::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        Ok(Deps { people: start.table()?, secrets: start.webhook_secrets(&CLERK_SECRETS_ARN).await? })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
