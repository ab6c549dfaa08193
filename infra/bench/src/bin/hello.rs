//! The hello-world: the smallest possible bootstrap, built with the same profile as the functions.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

async fn hello(_: LambdaEvent<Value>) -> Result<&'static str, Error> {
    Ok("hello")
}

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(hello)))
}
