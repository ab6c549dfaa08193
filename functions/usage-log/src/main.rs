//! Runs `usage-log`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<usage_log::Function<_>>()
}
