//! Runs `services`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<services::Function>()
}
