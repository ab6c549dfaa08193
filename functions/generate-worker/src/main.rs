//! Runs `generate-worker`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<generate_worker::Function<_>>()
}
