//! Wires `delivery-redeliver`.

use std::process::ExitCode;

use consigne_runtime::{Start, http, settings};
use delivery_redeliver::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let queue = start.queue(&settings::DELIVERIES_QUEUE_URL)?;
        Ok(Deps { users: start.session_verifier()?, deliveries: start.table()?, queue })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
