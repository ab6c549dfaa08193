//! Runs `invitation-revoke`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<invitation_revoke::Function<_>>()
}
