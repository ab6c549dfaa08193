//! Runs `health`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<health::Function<_>>()
}
