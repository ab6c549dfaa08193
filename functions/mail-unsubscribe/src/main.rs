//! Runs `mail-unsubscribe`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<mail_unsubscribe::Function<_>>()
}
