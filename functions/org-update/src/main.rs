//! Runs `org-update`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<org_update::Function<_>>()
}
