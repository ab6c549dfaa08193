//! Wires `gateway`.

use std::process::ExitCode;

use consigne_runtime::{Start, http};
use gateway::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (upstreams, upstream) = start.upstreams()?;
        let keys = start.table()?;
        let (finder, seal) = (start.key_finder().await?, start.gateway_seal().await?);
        Ok(Deps { finder, keys, seal, upstreams, upstream })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
