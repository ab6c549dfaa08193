//! Runs `webhook-stripe`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<webhook_stripe::Function<_>>()
}
