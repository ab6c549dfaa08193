//! Runs `job-cancel`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<job_cancel::Function<_>>()
}
