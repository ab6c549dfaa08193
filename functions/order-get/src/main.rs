//! Runs `order-get`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<order_get::Function<_>>()
}
