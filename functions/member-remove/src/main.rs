//! Runs `member-remove`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<member_remove::Function<_>>()
}
