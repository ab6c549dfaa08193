//! Runs `upload-parts`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<upload_parts::Function<_>>()
}
