//! Wires `send-mail`.

use std::process::ExitCode;

use consigne_runtime::settings::PARKING_QUEUE_URL;
use consigne_runtime::{Start, queue};
use send_mail::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (table, mailer, stationery) = (start.table()?, start.mailer()?, start.stationery()?);
        let (public_url, seal) = (start.public_url()?, start.unsubscribe_seal().await?);
        Ok(Deps { table, mailer, stationery, public_url, seal, dead_letters: start.queue(&PARKING_QUEUE_URL)? })
    };
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
