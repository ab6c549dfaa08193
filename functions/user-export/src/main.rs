//! Runs `user-export`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<user_export::Function<_>>()
}
