//! Runs `key-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<key_list::Function<_>>()
}
