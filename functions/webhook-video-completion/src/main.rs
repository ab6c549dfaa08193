//! Runs `webhook-video-completion`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<webhook_video_completion::Function<_>>()
}
