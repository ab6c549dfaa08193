//! Runs `anomaly-detect`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<anomaly_detect::Function<_>>()
}
