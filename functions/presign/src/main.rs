//! Runs `presign`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<presign::Function<_>>()
}
