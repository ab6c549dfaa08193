//! Runs `job-upload-grant`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<job_upload_grant::Function<_>>()
}
