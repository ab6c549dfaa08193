//! One execution environment with eight requests in flight, as AWS Lambda runs it on managed instances. Requests never
//! share an answer, a log line, a deadline, a trace or a count of calls.

use std::convert::Infallible;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use consigne_core::ports::GetUsage;
use consigne_core::{Fault, UserId};
use consigne_runtime::{
    Adapters, Answer, HttpFunction, Named, Operation, Pending, Request, Start, Wire, Wiring, clock, http as edge,
    remaining,
};
use consigne_testkit::payload;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, mpsc};

/// Number of requests in flight.
const AT_ONCE: usize = 8;
/// The request that always misses its deadline.
const LATE: usize = 8;

struct ConcurrentFunction<A: Adapters> {
    table: A::Table,
    /// Holds every request until all have arrived.
    together: Barrier,
}

impl<A: Adapters> Wire<A> for ConcurrentFunction<A> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        Ok(Pending::ready(Self { table: start.table()?, together: Barrier::new(AT_ONCE) }))
    }
}

impl<A: Adapters> Named for ConcurrentFunction<A> {
    const NAME: &'static str = "concurrent";
}

impl<A: Adapters<Table: GetUsage>> HttpFunction for ConcurrentFunction<A> {
    /// Makes as many calls to the table as the request's number. The calls of the other requests come in between.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let number: usize = request.parameter("number").parse().map_err(Fault::internal)?;
        request.log.field("number", number);
        self.together.wait().await;
        if number == LATE {
            return std::future::pending().await;
        }
        let user = UserId::parse(&format!("user_{number}")).ok_or_else(|| Fault::internal("no user"))?;
        let mut committed = Vec::new();
        for _ in 0..number {
            committed.push(self.table.get_usage(&user).await?.committed);
        }
        let left = remaining().as_secs();
        Ok(Answer::plain(200, &json!({ "number": number, "committed": committed, "left": left })))
    }

    fn operations() -> Vec<Operation> {
        Vec::new()
    }
}

/// Starts the bootstrap: this test binary, in another process.
fn bootstrap() {
    edge::run::<ConcurrentFunction<_>>();
}

#[test]
fn concurrent_requests_do_not_share_anything() {
    match std::env::var_os("AWS_LAMBDA_RUNTIME_API") {
        Some(_) => bootstrap(),
        None => tokio::runtime::Runtime::new().unwrap().block_on(watch()),
    }
}

async fn watch() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let aws = serve({
        let seen = seen.clone();
        move |request, body| table_answers(&seen, &request, &body)
    });
    let (answers, mut answered) = mpsc::unbounded_channel();
    let events = Arc::new(Mutex::new((1..=AT_ONCE).collect::<Vec<_>>()));
    let runtime_api = serve(move |request, body| lambda_answers(&events, &answers, &request, &body));
    let (aws, runtime_api) = (aws.await, runtime_api.await);

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "concurrent::concurrent_requests_do_not_share_anything", "--nocapture"])
        .env_clear()
        .envs([
            ("AWS_LAMBDA_MAX_CONCURRENCY", "8"),
            ("AWS_LAMBDA_FUNCTION_NAME", "concurrent"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "log"),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("TABLE_NAME", "table"),
        ])
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_ENDPOINT_URL", format!("http://{aws}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    for _ in 0..AT_ONCE {
        let next = tokio::time::timeout(Duration::from_secs(20), answered.recv()).await;
        let (number, answer): (usize, Value) = next.expect("eight answers within twenty seconds").unwrap();
        assert_answer(number, &answer);
    }
    assert_calls(&seen.lock().unwrap());

    child.0.kill().unwrap();
    let log = std::io::read_to_string(child.0.stdout.take().unwrap()).unwrap();
    let mut lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    lines.sort_by_key(|line| line["number"].as_u64());
    assert_eq!(lines.len(), AT_ONCE, "{log}");
    for (line, number) in lines.iter().zip(1..) {
        let (calls, status) = if number == LATE { (0, 503) } else { (number, 200) };
        assert_eq!(line["request.id"], format!("request-{number}"), "{line}");
        assert_eq!(
            (&line["number"], &line["aws.calls"], &line["http.status"]),
            (&json!(number), &json!(calls), &json!(status))
        );
    }
}

/// A process that is killed when the test ends, even by a panic.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Asserts that an answer has the data and the deadline of its own request.
fn assert_answer(number: usize, answer: &Value) {
    assert_eq!(answer["headers"]["x-request-id"], format!("request-{number}"), "{answer}");
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    if number == LATE {
        assert_eq!((&answer["statusCode"], &body["error"]["code"]), (&json!(503), &json!("UNAVAILABLE")));
        return;
    }
    assert_eq!((&body["number"], &body["committed"]), (&json!(number), &json!(vec![number; number])));
    let (left, whole) = (body["left"].as_u64().unwrap(), seconds(number));
    assert!(left < whole && left + 8 > whole, "request {number} of {whole} s saw {left} s left");
}

/// Asserts that every call to the table has the trace of its own request.
fn assert_calls(seen: &[(String, String)]) {
    assert_eq!(seen.len(), (1..LATE).sum::<usize>());
    for (user, trace) in seen {
        assert_eq!(user.strip_prefix("USER#user_"), trace.strip_prefix("Root=1-"), "{user} {trace}");
    }
}

/// Returns the time to answer a request, in seconds. It differs for each request.
fn seconds(number: usize) -> u64 {
    if number == LATE { 2 } else { 20 * number as u64 }
}

type Reply = std::pin::Pin<Box<dyn Future<Output = http::Response<Full<Bytes>>> + Send>>;

/// Plays the table, where every user has committed as many bytes as their name says.
fn table_answers(seen: &Mutex<Vec<(String, String)>>, request: &http::request::Parts, body: &[u8]) -> Reply {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let user = asked["Key"]["pk"]["S"].as_str().unwrap().to_owned();
    let number = user.trim_start_matches("USER#user_").to_owned();
    let trace = request.headers["x-amzn-trace-id"].to_str().unwrap().to_owned();
    seen.lock().unwrap().push((user, trace));
    let item = json!({ "Item": { "pk": { "S": "p" }, "sk": { "S": "s" }, "committed": { "N": number } } });
    Box::pin(async move {
        // Long enough that calls of several requests overlap.
        tokio::time::sleep(Duration::from_millis(5)).await;
        http::Response::new(Full::new(Bytes::from(item.to_string())))
    })
}

/// Plays the Runtime API: hands out each request once and collects the answers.
fn lambda_answers(
    events: &Mutex<Vec<usize>>,
    answers: &mpsc::UnboundedSender<(usize, Value)>,
    request: &http::request::Parts,
    body: &[u8],
) -> Reply {
    if let Some(id) = request.uri.path().strip_suffix("/response") {
        let number = id.rsplit('-').next().unwrap().parse().unwrap();
        // After all requests were answered, nothing receives from the channel.
        drop(answers.send((number, serde_json::from_slice(body).unwrap())));
        return Box::pin(async { http::Response::builder().status(202).body(Full::default()).unwrap() });
    }
    assert!(request.uri.path().ends_with("/next"), "{}", request.uri);
    let Some(number) = events.lock().unwrap().pop() else { return Box::pin(std::future::pending()) };
    let mut event = payload::event("health", "ask", "");
    event["requestContext"]["requestId"] = json!(format!("request-{number}"));
    event["pathParameters"] = json!({ "number": number.to_string() });
    let deadline = clock::now().plus(Duration::from_secs(seconds(number))).as_millis();
    let response = http::Response::builder()
        .header("lambda-runtime-aws-request-id", format!("invocation-{number}"))
        .header("lambda-runtime-deadline-ms", deadline.to_string())
        .header("lambda-runtime-trace-id", format!("Root=1-{number}"))
        .header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-3:000000000000:function:concurrent")
        .body(Full::new(Bytes::from(event.to_string())));
    Box::pin(async move { response.unwrap() })
}

/// Serves HTTP on a free port. Returns its address.
async fn serve(answer: impl Fn(http::request::Parts, Vec<u8>) -> Reply + Clone + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes().to_vec();
                    Ok::<_, Infallible>(answer(parts, body).await)
                }
            });
            // The bootstrap is killed at the end, which closes its connections.
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address.to_string()
}
