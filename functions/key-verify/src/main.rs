//! Runs `key-verify`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_verify::Function<_>>()
}
