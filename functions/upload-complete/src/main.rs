//! Runs `upload-complete`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<upload_complete::Function<_>>()
}
