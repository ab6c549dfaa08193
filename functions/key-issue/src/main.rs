//! Runs `key-issue`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_issue::Function<_>>()
}
