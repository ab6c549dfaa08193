//! Runs `invitation-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<invitation_list::Function<_>>()
}
