//! Runs `catalogue`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<catalogue::Function>()
}
