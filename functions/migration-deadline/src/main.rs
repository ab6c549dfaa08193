//! Runs `migration-deadline`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<migration_deadline::Function<_>>()
}
