//! Runs `invitation-accept`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<invitation_accept::Function<_>>()
}
