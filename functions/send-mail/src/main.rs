//! Wires `send-mail`.

use std::process::ExitCode;

use consigne_runtime::settings::PARKING_QUEUE_URL;
use consigne_runtime::{Start, queue};
use send_mail::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (table, mailer, theme) = (start.table()?, start.mailer()?, start.theme()?);
        let (public_url, dead_letters) = (start.public_url()?, start.queue(&PARKING_QUEUE_URL)?);
        let (seal, invitations) = (start.unsubscribe_seal().await?, start.invitation_tokens().await?);
        Ok(Deps { table, mailer, theme, public_url, seal, invitations, dead_letters })
    };
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
