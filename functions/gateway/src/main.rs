//! Runs `gateway`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<gateway::Function<_>>()
}
