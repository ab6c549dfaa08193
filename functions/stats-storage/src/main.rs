//! Runs `stats-storage`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<stats_storage::Function<_>>()
}
