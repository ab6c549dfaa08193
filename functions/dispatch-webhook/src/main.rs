//! Wires `dispatch-webhook`.

use std::process::ExitCode;

use consigne_runtime::courier::WallClock;
use consigne_runtime::{Start, queue, settings};
use dispatch_webhook::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let queue = start.queue(&settings::DELIVERIES_QUEUE_URL)?;
        let dead_letters = start.queue(&settings::PARKING_QUEUE_URL)?;
        let (table, courier, secrets) = (start.table()?, start.courier(), start.endpoint_secrets().await?);
        Ok(Deps { table, courier, queue, dead_letters, secrets, clock: WallClock })
    };
    queue::serve(env!("CARGO_PKG_NAME"), wire, |deps, message| Box::pin(handle(deps, message)))
}
