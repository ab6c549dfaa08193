//! Runs `org-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<org_list::Function<_>>()
}
