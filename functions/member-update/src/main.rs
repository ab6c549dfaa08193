//! Runs `member-update`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<member_update::Function<_>>()
}
