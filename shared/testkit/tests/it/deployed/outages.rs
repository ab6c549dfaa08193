//! The table and the bucket of a stack fail in every way, while the functions and everything around them are real.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use consigne_testkit::http::Response;
use consigne_testkit::payload;
use consigne_testkit::pictures;
use serde_json::json;

use super::further_stack::FurtherStack;
use super::short_nights::continue_by_message;
use super::text;

const DEGRADED: FurtherStack = FurtherStack { name: "degraded", env_file: "target/local/degraded.env" };

/// Names what fails to the laptop's server, until it is dropped.
struct Outage(PathBuf);

impl Outage {
    fn of(name: &str, way: &str) -> Self {
        let file = payload::root().join("target/local/outages");
        fs::write(&file, format!("{name} {way}\n")).unwrap();
        Self(file)
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// Asserts that an answer says when to try again, and not what is down.
fn assert_try_again(answer: &Response) {
    let body = answer.json();
    assert_eq!((answer.status, &body["error"]["code"]), (503, &json!("UNAVAILABLE")), "{body}");
    assert_eq!(body["error"]["message"], "Please try again in a moment");
    assert!((1..=4).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{body}");
    let said = body.to_string().to_lowercase();
    assert!(!["dynamo", "s3", "throttl", "table", "bucket"].iter().any(|word| said.contains(word)), "{body}");
}

#[tokio::test]
async fn a_part_that_is_down_is_answered_503_in_time_and_nothing_is_half_done() {
    let stack = DEGRADED.deploy(&[]);
    let ann = stack.newcomer("pro");
    let (kept, gone) = (
        ann.upload("a.png", "image/png", pictures::png(640, 480, 1000)).await,
        ann.upload("b.png", "image/png", pictures::png(640, 480, 1000)).await,
    );
    let (table, bucket) = (stack.name("TABLE_NAME").to_owned(), stack.name("BUCKET_NAME").to_owned());
    let bearer = format!("Bearer {}", ann.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "the-same-each-time"),
    ];
    let wanted = json!({ "filename": "c.png", "contentType": "image/png", "size": 1000 }).to_string();
    let grant = async || stack.call("POST", "/api/files/uploads", &headers, wanted.as_bytes()).await;
    let health = async || {
        let service = format!("Bearer {}", stack.name("SERVICE_TOKEN"));
        stack.call("GET", "/api/health?deep=1", &[("authorization", &service)], b"").await
    };

    for way in ["throttled", "broken", "silent"] {
        let outage = Outage::of(&table, way);
        let begun = Instant::now();
        assert_try_again(&grant().await);
        assert!(begun.elapsed() < Duration::from_secs(15), "{way}: {:?}", begun.elapsed());
        if way != "silent" {
            assert_try_again(&ann.metadata(&kept).await);
            assert_try_again(&ann.call("GET", "/api/files/list").await);
            assert_try_again(&ann.call("GET", "/api/orgs").await);
        }
        let begun = Instant::now();
        let named = health().await;
        assert_eq!((named.status, &named.json()["error"]["details"]["degraded"]), (503, &json!(["table"])));
        assert!(begun.elapsed() < Duration::from_secs(6), "{way}: {:?}", begun.elapsed());
        drop(outage);
    }
    // The same request, repeated with its key, has its effect once.
    let (first, second) = (grant().await.json(), grant().await.json());
    assert_eq!(text(&first, "s3Key"), text(&second, "s3Key"));
    ann.wait_for_usage(2, 2000, 1000).await;

    let outage = Outage::of(&bucket, "broken");
    assert_eq!(health().await.json()["error"]["details"]["degraded"], json!(["bucket"]));
    // Reads, grants and tickets need no object, and a deletion counts at once.
    assert_eq!(ann.metadata(&kept).await.status, 200);
    assert_eq!(ann.ticket(&kept).await.status, 200);
    assert_eq!(ann.delete(&gone).await.status, 200);
    assert_eq!(ann.metadata(&gone).await.status, 404);
    drop(outage);
    assert_eq!(health().await.status, 200);

    continue_by_message(&stack).await;
}
