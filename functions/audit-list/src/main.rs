//! Runs `audit-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<audit_list::Function<_>>()
}
