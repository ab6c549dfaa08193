//! Runs `receipt-outcome`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<receipt_outcome::Function<_>>()
}
