//! Runs `fallback`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<fallback::Function>()
}
