//! Runs `sweep`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<sweep::Function<_>>()
}
