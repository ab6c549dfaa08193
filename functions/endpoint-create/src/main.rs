//! Runs `endpoint-create`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_create::Function<_>>()
}
