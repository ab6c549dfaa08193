//! Runs `key-update`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_update::Function<_>>()
}
