//! Runs `send-mail`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<send_mail::Function<_>>()
}
