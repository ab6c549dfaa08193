//! Runs `job-status`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<job_status::Function<_>>()
}
