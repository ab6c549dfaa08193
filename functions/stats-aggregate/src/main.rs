//! Runs `stats-aggregate`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<stats_aggregate::Function<_>>()
}
