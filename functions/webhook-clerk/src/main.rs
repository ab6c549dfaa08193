//! Runs `webhook-clerk`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<webhook_clerk::Function<_>>()
}
