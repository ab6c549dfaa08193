//! Runs `endpoint-test`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<endpoint_test::Function<_>>()
}
