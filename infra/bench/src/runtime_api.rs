//! A Runtime API of our own: hands a bootstrap one event and takes the moment its answer arrives.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use crate::Problem;

/// What a bootstrap has answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// When.
    pub(crate) at: Instant,
    /// What, as text.
    pub(crate) body: String,
    /// Whether it told of a failure instead.
    pub(crate) failed: bool,
}

/// A Runtime API for one bootstrap at a time.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::Sender<String>,
    answers: mpsc::Receiver<Answered>,
}

type Queue = Arc<Mutex<mpsc::Receiver<String>>>;

impl RuntimeApi {
    /// Starts listening on a free port.
    pub(crate) async fn start() -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (events, queue) = mpsc::channel(16);
        let (answered, answers) = mpsc::channel(16);
        let queue: Queue = Arc::new(Mutex::new(queue));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Answers are small; waiting to fill a packet would be measured as theirs.
                drop(stream.set_nodelay(true));
                let (queue, answered) = (queue.clone(), answered.clone());
                tokio::spawn(async move {
                    let service = service_fn(move |request| serve(request, queue.clone(), answered.clone()));
                    // A bootstrap that is killed hangs up in the middle.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(Self { address, events, answers })
    }

    /// Gives what `AWS_LAMBDA_RUNTIME_API` must say.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Lays out an event for whoever asks next.
    pub(crate) async fn offer(&self, event: &str) {
        // The channel is as deep as there are events at a time.
        drop(self.events.send(event.to_owned()).await);
    }

    /// Waits for the next answer.
    pub(crate) async fn answer(&mut self) -> Result<Answered, Problem> {
        let waited = tokio::time::timeout(std::time::Duration::from_secs(10), self.answers.recv()).await;
        waited.ok().flatten().ok_or_else(|| "no answer within ten seconds".to_owned())
    }
}

async fn serve(
    request: http::Request<Incoming>,
    queue: Queue,
    answered: mpsc::Sender<Answered>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let path = request.uri().path().to_owned();
    let response = http::Response::builder();
    if path.ends_with("/invocation/next") {
        let event = queue.lock().await.recv().await.unwrap_or_default();
        let deadline = consigne_runtime::clock::now().as_millis() + 10_000;
        let response = response
            .header("lambda-runtime-aws-request-id", "request-1")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
            .body(Full::new(Bytes::from(event)));
        return Ok(response.unwrap_or_default());
    }
    let failed = path.ends_with("/error");
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    drop(answered.send(Answered { at, body, failed }).await);
    Ok(response.status(202).body(Full::default()).unwrap_or_default())
}
