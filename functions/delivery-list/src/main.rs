//! Runs `delivery-list`.

fn main() -> std::process::ExitCode {
    consigne_runtime::http::run::<delivery_list::Function<_>>()
}
