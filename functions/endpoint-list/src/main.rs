//! Runs `endpoint-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_list::Function<_>>()
}
