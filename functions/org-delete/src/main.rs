//! Runs `org-delete`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<org_delete::Function<_>>()
}
