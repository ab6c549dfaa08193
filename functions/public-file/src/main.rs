//! Runs `public-file`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<public_file::Function<_>>()
}
