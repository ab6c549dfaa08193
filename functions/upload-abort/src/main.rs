//! Runs `upload-abort`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<upload_abort::Function<_>>()
}
