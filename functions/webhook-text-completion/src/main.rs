//! Runs `webhook-text-completion`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<webhook_text_completion::Function<_>>()
}
