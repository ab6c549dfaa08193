//! Runs `publish-events`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<publish_events::Function<_>>()
}
