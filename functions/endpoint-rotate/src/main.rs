//! Runs `endpoint-rotate`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_rotate::Function<_>>()
}
