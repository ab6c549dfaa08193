//! Runs `member-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<member_list::Function<_>>()
}
