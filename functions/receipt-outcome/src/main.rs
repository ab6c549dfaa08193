//! Wires `receipt-outcome`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use receipt_outcome::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { receipts: start.table()?, services: start.service_tokens().await? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
