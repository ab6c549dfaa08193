//! Runs `payment-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<payment_list::Function<_>>()
}
