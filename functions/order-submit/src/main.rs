//! Runs `order-submit`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<order_submit::Function<_>>()
}
