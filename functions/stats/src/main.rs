//! Runs `stats`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<stats::Function<_>>()
}
