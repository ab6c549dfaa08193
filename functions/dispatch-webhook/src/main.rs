//! Runs `dispatch-webhook`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<dispatch_webhook::Function<_>>()
}
