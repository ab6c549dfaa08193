//! Runs `account-close`.

fn main() -> std::process::ExitCode {
    consigne_runtime::schedule::run::<account_close::Function<_>>()
}
