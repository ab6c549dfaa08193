//! Runs `checkout`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<checkout::Function<_>>()
}
