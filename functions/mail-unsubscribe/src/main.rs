//! Wires `mail-unsubscribe`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use mail_unsubscribe::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| Ok(Deps { table: start.table()?, seal: start.unsubscribe_seal().await? });
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
