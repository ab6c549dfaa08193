//! Runs `key-revoke`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_revoke::Function<_>>()
}
