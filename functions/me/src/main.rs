//! Runs `me`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<me::Function<_>>()
}
