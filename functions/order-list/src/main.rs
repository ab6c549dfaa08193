//! Runs `order-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<order_list::Function<_>>()
}
