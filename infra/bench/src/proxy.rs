//! A proxy between functions and AWS. It counts a function's calls from outside.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::Problem;

/// Calls by the access key that signed them, and by operation.
pub(crate) type Counts = HashMap<(String, String), Passed>;

/// Calls that have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    /// Number of requests.
    pub(crate) calls: u32,
    /// Bytes of their requests and responses, including headers as written in HTTP/1.1.
    pub(crate) bytes: u64,
}

impl std::ops::AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.bytes += other.bytes;
    }
}

/// A recorded request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Taped {
    /// The operation, such as `GetItem`.
    pub(crate) operation: String,
    /// The access key that signed it.
    pub(crate) signer: String,
    /// Its body, if it is JSON.
    pub(crate) asked: Value,
    /// The body of its answer, if it is JSON.
    pub(crate) answer: Value,
}

/// The proxy, with its counts and its recording.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Address on which it listens.
    pub(crate) address: SocketAddr,
    upstream: Arc<RwLock<String>>,
    counts: Arc<Mutex<Counts>>,
    tape: Arc<Mutex<Option<Vec<Taped>>>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    /// Starts listening on a free port.
    pub(crate) async fn start() -> Result<Self, Problem> {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let proxy = Self { address, upstream: Arc::default(), counts: Arc::default(), tape: Arc::default(), client };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.set_nodelay(true));
                let proxy = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let proxy = proxy.clone();
                        async move { Ok::<_, Infallible>(proxy.forward(request).await) }
                    });
                    // A function that ends closes the connection at any point.
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Ok(proxy)
    }

    /// Sets where requests are forwarded to, without a slash at the end.
    pub(crate) fn forward_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sets all counts to zero.
    pub(crate) fn reset(&self) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the calls since the last reset, by access key and operation.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records every request from now on.
    pub(crate) fn record(&self) {
        *self.tape.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    /// Returns the recording and stops it.
    pub(crate) fn recorded(&self) -> Vec<Taped> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    fn tape(&self, (signer, operation): (String, String), asked: &[u8], answer: &[u8]) {
        if let Some(tape) = self.tape.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let json = |bytes| serde_json::from_slice(bytes).unwrap_or_default();
            tape.push(Taped { operation, signer, asked: json(asked), answer: json(answer) });
        }
    }

    /// Returns the number of all calls since the last reset.
    pub(crate) fn calls(&self) -> u32 {
        self.passed(|_, _| true).calls
    }

    /// Sums the counts of some access keys and operations.
    pub(crate) fn passed(&self, wanted: impl Fn(&str, &str) -> bool) -> Passed {
        let counts = self.counts();
        let wanted = counts.iter().filter(|((key, operation), _)| wanted(key, operation));
        wanted.fold(Passed::default(), |mut sum, (_, passed)| {
            sum += *passed;
            sum
        })
    }

    fn count(&self, key: &(String, String), calls: u32, bytes: usize) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = counts.entry(key.clone()).or_default();
        passed.calls += calls;
        passed.bytes += bytes as u64;
    }

    /// Forwards a request unchanged, including its `Host`, which is part of its signature.
    async fn forward(&self, request: http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let (mut parts, body) = request.into_parts();
        let key = (access_key(&parts.headers), operation(&parts));
        let asked = parts.method.as_str().len() + parts.uri.to_string().len() + head(&parts.headers);
        self.count(&key, 1, asked);
        let upstream = self.upstream.read().unwrap_or_else(PoisonError::into_inner).clone();
        let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("{upstream}{target}").parse() else { return failed("the upstream is not a URL") };
        parts.uri = uri;
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return failed(&error.to_string()),
        };
        self.count(&key, 0, body.len());
        match self.client.request(http::Request::from_parts(parts, Full::new(body.clone()))).await {
            Ok(response) => {
                let (parts, answer) = response.into_parts();
                let answer = answer.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                self.count(&key, 0, head(&parts.headers) + answer.len());
                self.tape(key, &body, &answer);
                http::Response::from_parts(parts, Full::new(answer))
            }
            Err(error) => failed(&error.to_string()),
        }
    }
}

/// Returns the size in bytes of headers and first line, without the variable parts of that line.
fn head(headers: &http::HeaderMap) -> usize {
    // ` HTTP/1.1` with its spaces, or `HTTP/1.1 200 OK`, the end of the line, and the empty line after the headers.
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    lines.sum::<usize>() + 15
}

fn failed(reason: &str) -> http::Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(reason.to_owned()));
    http::Response::builder().status(502).body(body).unwrap_or_default()
}

/// Returns the access key of a signed request. Every function has its own.
fn access_key(headers: &http::HeaderMap) -> String {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let credential = authorization.split("Credential=").nth(1).unwrap_or_default();
    credential.split('/').next().unwrap_or_default().to_owned()
}

/// Returns the operation of a request: the target in AWS's JSON protocols, otherwise method and `x-id`.
fn operation(parts: &http::request::Parts) -> String {
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some(target) = target {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    let id = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("x-id="));
    id.map_or_else(|| format!("S3 {}", parts.method), str::to_owned)
}
