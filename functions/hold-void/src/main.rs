//! Runs `hold-void`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<hold_void::Function<_>>()
}
