//! Wires `webhook-video-completion`.

use std::process::ExitCode;

use consigne_runtime::{Start, http, settings};
use webhook_video_completion::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (jobs, objects) = (start.table()?, start.bucket()?);
        let generators = start.webhook_secrets(&settings::GENERATOR_SECRETS_ARN).await?;
        Ok(Deps { generators, jobs, objects })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
