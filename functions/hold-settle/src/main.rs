//! Runs `hold-settle`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<hold_settle::Function<_>>()
}
