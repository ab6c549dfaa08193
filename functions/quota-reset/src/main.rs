//! Runs `quota-reset`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<quota_reset::Function<_>>()
}
