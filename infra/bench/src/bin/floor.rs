//! The floor of a function that calls AWS: the hello-world with a number of bare calls over one connection. Nothing is
//! signed, parsed or retried.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CALL: &str = "POST / HTTP/1.1\r\nhost: aws\r\nx-amz-target: Floor\r\ncontent-length: 2\r\n\r\n{}";
/// Larger than the stub's answer.
const ANSWER: usize = 4_096;

async fn call(_: LambdaEvent<Value>) -> Result<&'static str, Error> {
    let (address, calls) = (argument(1)?, argument(2)?);
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    for _ in 0..calls.parse::<u32>()? {
        stream.write_all(CALL.as_bytes()).await?;
        // The stub writes an answer this short in one piece.
        if stream.read(&mut [0; ANSWER]).await? == 0 {
            return Err("AWS hung up".into());
        }
    }
    Ok("hello")
}

fn argument(nth: usize) -> Result<String, &'static str> {
    std::env::args().nth(nth).ok_or("called as: floor <host:port of AWS> <calls>")
}

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(lambda_runtime::run(service_fn(call)))
}
