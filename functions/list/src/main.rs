//! Runs `list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<list::Function<_>>()
}
