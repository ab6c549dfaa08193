//! Wires `publish-events`.

use std::process::ExitCode;

use consigne_runtime::{Start, settings, stream};
use publish_events::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let parking = start.queue(&settings::PARKING_QUEUE_URL)?;
        Ok(Deps { table: start.table()?, bus: start.bus()?, parking })
    };
    stream::serve(env!("CARGO_PKG_NAME"), wire, |deps, change| Box::pin(handle(deps, change)))
}
