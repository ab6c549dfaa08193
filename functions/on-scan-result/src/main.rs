//! Runs `on-scan-result`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<on_scan_result::Function<_>>()
}
