//! Runs `on-object-event`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<on_object_event::Function<_>>()
}
