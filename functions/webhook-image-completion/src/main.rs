//! Runs `webhook-image-completion`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<webhook_image_completion::Function<_>>()
}
