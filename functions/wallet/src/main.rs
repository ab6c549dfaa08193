//! Runs `wallet`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<wallet::Function<_>>()
}
