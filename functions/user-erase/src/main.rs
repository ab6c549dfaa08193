//! Runs `user-erase`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<user_erase::Function<_>>()
}
