//! Runs `upload-grant`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<upload_grant::Function<_>>()
}
