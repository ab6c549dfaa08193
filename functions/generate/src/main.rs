//! Runs `generate`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<generate::Function<_>>()
}
