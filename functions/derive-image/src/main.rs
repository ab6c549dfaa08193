//! Runs `derive-image`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<derive_image::Function<_>>()
}
