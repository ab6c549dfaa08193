//! Runs `hold-open`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<hold_open::Function<_>>()
}
