//! Runs `mail-feedback`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<mail_feedback::Function<_>>()
}
