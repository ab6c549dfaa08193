//! Runs `member-invite`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<member_invite::Function<_>>()
}
