//! Runs `quota-organisation`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<quota_organisation::Function<_>>()
}
