//! Runs `cdn-invalidate`.

fn main() -> std::process::ExitCode {
    consigne_runtime::batch::run::<cdn_invalidate::Function<_>>()
}
