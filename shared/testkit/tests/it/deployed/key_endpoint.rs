//! A stack of its own, for tests that would disturb the others. It fetches keys from an endpoint of the test, and its
//! queue has few retries.

use std::convert::Infallible;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use consigne_testkit::payload;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, fresh_user, until};
use consigne_testkit::tokens::Issuer;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::{assert_refused, text};

const ENV_FILE: &str = "target/local/lab.env";

/// Lets one test at a time use the stack.
static STACK: Mutex<()> = Mutex::const_new(());

/// A key endpoint that counts its callers and can be switched off.
struct KeyEndpoint {
    issuer: Arc<Issuer>,
    fetches: AtomicU32,
    up: AtomicBool,
}

/// Starts a key endpoint. Returns its address.
async fn serve_keys(endpoint: &Arc<KeyEndpoint>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = endpoint.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let endpoint = endpoint.clone();
            tokio::spawn(async move {
                let service = service_fn(|_| {
                    endpoint.fetches.fetch_add(1, Ordering::SeqCst);
                    let up = endpoint.up.load(Ordering::SeqCst);
                    let body = if up { endpoint.issuer.key_set() } else { "down".to_owned() };
                    let status = if up { 200 } else { 500 };
                    let response = http::Response::builder().status(status).body(Full::new(Bytes::from(body)));
                    async move { Ok::<_, Infallible>(response.unwrap()) }
                });
                // A client may close its connection.
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    format!("http://{address}/jwks.json")
}

/// Deploys the stack again, so that its functions have cached no key.
fn deploy(keys: &str, issuer: &Issuer) -> Stack {
    let root = payload::root();
    let output = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("infra/local/stack.py"))
        .args(["deploy", "--stack", "lab", "--env-file"])
        .arg(root.join(ENV_FILE))
        .args(["--parameter", "ClerkJwtKey="])
        .args(["--parameter", &format!("ClerkJwksUrl={keys}")])
        .args(["--parameter", &format!("ClerkIssuer={}", issuer.iss)])
        .args(["--parameter", &format!("AuthorizedParties={}", issuer.azp)])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Stack::of_file(ENV_FILE)
}

#[tokio::test]
async fn unknown_key_ids_cause_few_fetches_and_cached_keys_need_no_endpoint() {
    let _guard = STACK.lock().await;
    let issuer = Arc::new(Issuer::fresh("key-1"));
    let endpoint = Arc::new(KeyEndpoint { issuer, fetches: AtomicU32::new(0), up: AtomicBool::new(true) });
    let issuer = &endpoint.issuer;
    let stack = deploy(&serve_keys(&endpoint).await, issuer);
    let call = async |token: &str| {
        stack.call("GET", "/api/files/usage", &[("authorization", &format!("Bearer {token}"))], b"").await
    };
    // A token with an unsupported algorithm causes no fetch.
    let unsigned = issuer.signed(&json!({"alg": "none", "kid": "key-1"}), &json!({"sub": "user_a"}));
    assert_refused(&call(&unsigned).await, 401, "UNAUTHENTICATED");
    assert_eq!(endpoint.fetches.load(Ordering::SeqCst), 0);
    // More reads than the smaller plans allow in a minute.
    let good = issuer.token(&fresh_user(), "enterprise");
    for n in 0..500 {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": format!("invented-{n}")});
        let forged = issuer.signed(&header, &json!({"sub": "user_a"}));
        assert_refused(&call(&forged).await, 401, "UNAUTHENTICATED");
        assert_eq!(call(&good).await.status, 200, "beside {n} unknown key ids");
    }
    let fetches = endpoint.fetches.load(Ordering::SeqCst);
    assert!(fetches <= 2, "{fetches} fetches");
    endpoint.up.store(false, Ordering::SeqCst);
    assert_eq!(call(&good).await.status, 200);
    assert_eq!(call(&issuer.token(&fresh_user(), "pro")).await.status, 200);
}

#[tokio::test]
async fn without_a_key_set_tokens_get_503() {
    let _guard = STACK.lock().await;
    let issuer = Arc::new(Issuer::fresh("key-2"));
    let endpoint = Arc::new(KeyEndpoint { issuer, fetches: AtomicU32::new(0), up: AtomicBool::new(false) });
    let stack = deploy(&serve_keys(&endpoint).await, &endpoint.issuer);
    let bearer = format!("Bearer {}", endpoint.issuer.token(&fresh_user(), "free"));
    let refused = stack.call("GET", "/api/files/usage", &[("authorization", &bearer)], b"").await;
    assert_refused(&refused, 503, "UNAVAILABLE");
    assert!(["1", "2", "3", "4"].contains(&refused.header("retry-after")));
}

#[tokio::test]
async fn a_message_that_always_fails_ends_on_the_dead_letter_queue_and_delays_no_others() {
    let _guard = STACK.lock().await;
    let issuer = Arc::new(Issuer::fresh("key-3"));
    let endpoint = Arc::new(KeyEndpoint { issuer, fetches: AtomicU32::new(0), up: AtomicBool::new(true) });
    let mut stack = deploy(&serve_keys(&endpoint).await, &endpoint.issuer);
    stack.issuer = endpoint.issuer.clone();
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let url = async |name: &str| {
        let name = format!("{}-{name}", stack.name("STACK_NAME"));
        sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
    };
    let (queue, dead) = (url("object-events").await, url("object-events-dead").await);
    let fast = sqs.set_queue_attributes().queue_url(&queue).attributes("VisibilityTimeout".into(), "4");
    fast.send().await.unwrap();
    let poison = r#"{"detail-type": "Object Created", "detail": {"object": "#;
    sqs.send_message().queue_url(&queue).message_body(poison).send().await.unwrap();
    let test_event = r#"{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}"#;
    sqs.send_message().queue_url(&queue).message_body(test_event).send().await.unwrap();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 100)).await;
    assert_eq!(ann.metadata(&key).await.json()["status"], "ready");
    let parked = until(async || {
        let received = sqs.receive_message().queue_url(&dead).send().await.unwrap();
        received.messages?.into_iter().find(|message| message.body.as_deref() == Some(poison))
    });
    assert!(parked.await.is_some(), "the bad message is not on the dead-letter queue");
    // Lambda counts none of these invocations as failed, so the alarms read this.
    let lines = stack.log_lines("on-object-event", "RecordsFailed").await;
    let failed: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(failed.len() >= 5 && failed.iter().all(|line| line["RecordsFailed"] == 1), "{lines:?}");
    assert!(!text(&ann.usage().await, "userId").is_empty());
}
