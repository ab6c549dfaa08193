//! Runs `reconcile`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<reconcile::Function<_>>()
}
