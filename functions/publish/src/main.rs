//! Runs `publish`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<publish::Function<_>>()
}
