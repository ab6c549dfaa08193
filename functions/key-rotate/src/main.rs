//! Runs `key-rotate`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_rotate::Function<_>>()
}
