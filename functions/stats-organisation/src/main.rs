//! Runs `stats-organisation`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<stats_organisation::Function<_>>()
}
