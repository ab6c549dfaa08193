//! A Runtime API for the bench. It sends a bootstrap its events one by one, and records when the bootstrap asks for an
//! event and when it answers.
//!
//! Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use crate::Problem;

/// Longest time for an answer of a bootstrap at full speed.
pub(crate) const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer of the bootstrap.
#[derive(Debug)]
pub(crate) struct Answered {
    /// When it was given the event.
    pub(crate) handed: Instant,
    /// When its answer arrived.
    pub(crate) at: Instant,
    /// The answer as text.
    pub(crate) body: String,
    /// Whether it reported a failure instead.
    pub(crate) failed: bool,
}

impl Answered {
    /// Returns the time from the event to its answer.
    pub(crate) fn took(&self) -> Duration {
        self.at.duration_since(self.handed)
    }
}

/// A Runtime API for one bootstrap at a time.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    timeout: Duration,
    events: mpsc::Sender<String>,
    answers: mpsc::Receiver<Answered>,
    asked: watch::Receiver<Asked>,
    accepting: JoinHandle<()>,
}

/// How often an event was asked for, and when last.
type Asked = (u32, Instant);

/// State that all connections share.
struct ApiState {
    timeout: Duration,
    /// Events to give out, and when the last one was.
    queue: Mutex<mpsc::Receiver<String>>,
    handed: Mutex<Instant>,
    asked: watch::Sender<Asked>,
    answers: mpsc::Sender<Answered>,
}

impl RuntimeApi {
    /// Starts listening on a free port. Waits this long for an answer, and tells the bootstrap the same deadline.
    pub(crate) async fn start(timeout: Duration) -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (events, queue) = mpsc::channel(16);
        let (answered, answers) = mpsc::channel(16);
        let (asking, asked) = watch::channel((0, Instant::now()));
        let (queue, handed) = (Mutex::new(queue), Mutex::new(Instant::now()));
        let state = Arc::new(ApiState { timeout, queue, handed, asked: asking, answers: answered });
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Answers are small. A delay to fill a packet would be measured as theirs.
                drop(stream.set_nodelay(true));
                let state = state.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| serve(request, state.clone()));
                    // A bootstrap that is killed closes the connection at any point.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(Self { address, timeout, events, answers, asked, accepting })
    }

    /// Returns the value for `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Queues an event for the next request.
    pub(crate) async fn offer(&self, event: &str) {
        // The channel never holds more events than fit.
        drop(self.events.send(event.to_owned()).await);
    }

    /// Waits for the next answer.
    pub(crate) async fn answer(&mut self) -> Result<Answered, Problem> {
        let waited = tokio::time::timeout(self.timeout, self.answers.recv()).await;
        waited.ok().flatten().ok_or_else(|| format!("no answer within {} seconds", self.timeout.as_secs()))
    }

    /// Waits until an event is asked for the `nth` time, counted from one, which shows that the bootstrap is ready.
    /// Returns when that was.
    pub(crate) async fn ready(&mut self, nth: u32) -> Result<Instant, Problem> {
        let asked = self.asked.wait_for(|(times, _)| *times >= nth);
        let waited = tokio::time::timeout(self.timeout, asked).await;
        let at = waited.ok().and_then(Result::ok).map(|asked| asked.1);
        at.ok_or_else(|| format!("not ready within {} seconds", self.timeout.as_secs()))
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    request: http::Request<Incoming>,
    state: Arc<ApiState>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let at = Instant::now();
    let path = request.uri().path().to_owned();
    let response = http::Response::builder();
    if path.ends_with("/invocation/next") {
        state.asked.send_modify(|(times, last)| (*times, *last) = (*times + 1, at));
        let event = state.queue.lock().await.recv().await.unwrap_or_default();
        let deadline = consigne_runtime::clock::now().plus(state.timeout).as_millis();
        let response = response
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "request-1")
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
            .body(Full::new(Bytes::from(event)));
        *state.handed.lock().await = Instant::now();
        return Ok(response.unwrap_or_default());
    }
    let failed = path.ends_with("/error");
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = String::from_utf8_lossy(&body).into_owned();
    let handed = *state.handed.lock().await;
    drop(state.answers.send(Answered { handed, at, body, failed }).await);
    Ok(response.status(202).body(Full::default()).unwrap_or_default())
}
