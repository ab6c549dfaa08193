//! Runs `job-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<job_list::Function<_>>()
}
