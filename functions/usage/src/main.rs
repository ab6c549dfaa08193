//! Runs `usage`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<usage::Function<_>>()
}
