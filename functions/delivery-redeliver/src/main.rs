//! Runs `delivery-redeliver`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<delivery_redeliver::Function<_>>()
}
