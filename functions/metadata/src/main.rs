//! Runs `metadata`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<metadata::Function<_>>()
}
