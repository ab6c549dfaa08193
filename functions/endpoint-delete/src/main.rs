//! Runs `endpoint-delete`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_delete::Function<_>>()
}
