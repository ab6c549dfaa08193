//! Runs `export-worker`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<export_worker::Function<_>>()
}
