//! Runs `org-create`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<org_create::Function<_>>()
}
