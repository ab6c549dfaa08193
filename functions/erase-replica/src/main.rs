//! Runs `erase-replica`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<erase_replica::Function<_>>()
}
