//! Runs `endpoint-update`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_update::Function<_>>()
}
