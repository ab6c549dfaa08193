//! Runs `delete`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<delete::Function<_>>()
}
