//! Wires `job-upload-grant`.

use std::process::ExitCode;

use consigne_runtime::{Start, http, settings};
use job_upload_grant::{Deps, handle};

fn main() -> ExitCode {
    let wire = async |start: &Start| {
        let (jobs, tickets) = (start.table()?, start.presigner()?);
        let generators = start.webhook_secrets(&settings::GENERATOR_SECRETS_ARN).await?;
        Ok(Deps { generators, jobs, tickets })
    };
    http::serve(env!("CARGO_PKG_NAME"), wire, |deps, request| Box::pin(handle(deps, request)))
}
