//! Runs `key-delete`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_delete::Function<_>>()
}
