//! AWS calls per warm request, counted by the proxy.

use std::time::Duration;

use consigne_testkit::pictures;
use consigne_testkit::stack::Person;
use serde_json::{Value, json};

use crate::Problem;
use crate::proxy::Passed;
use crate::stack::BenchStack;
use crate::table::{Row, Table};

/// Group of the rows with calls.
pub(crate) const GROUP: &str = "AWS calls per request, warm, counted by a proxy";
/// Group of the rows with the bytes of the same calls.
const BYTES: &str = "Bytes to and from AWS per request, warm, counted by a proxy";

/// Measures each route `rounds` times.
pub(crate) async fn measure(bench: &BenchStack, rounds: u32, table: &mut Table) -> Result<(), Problem> {
    let ann = bench.stack.newcomer("enterprise");
    let mut keys = Vec::new();
    for n in 0..=rounds {
        keys.push(ann.upload(&format!("{n}.png"), "image/png", pictures::png(640, 480, 2_000)).await);
    }
    let key = keys[0].clone();
    let ticket = json!({ "s3Key": key });
    let body = json!({ "filename": "a.png", "contentType": "image/png", "size": 2000 });
    let metadata = format!("/api/files/metadata?s3Key={key}");
    let cases: [(&str, &str, &str, Option<&Value>, f64); 6] = [
        ("presign", "POST", "/api/files/presigned-url", Some(&ticket), 1.0),
        ("upload-grant", "POST", "/api/files/uploads", Some(&body), 1.0),
        ("list, the total included", "GET", "/api/files/list", None, 2.0),
        ("metadata", "GET", &metadata, None, 1.0),
        ("usage", "GET", "/api/files/usage", None, 1.0),
        ("presign, no credential", "POST", "/api/files/presigned-url", Some(&ticket), 0.0),
    ];
    for (name, method, path, body, most) in cases {
        let anonymous = name.ends_with("no credential");
        let ask = async || {
            if anonymous {
                let headers = [("content-type", "application/json")];
                bench
                    .stack
                    .call(method, path, &headers, body.map(Value::to_string).unwrap_or_default().as_bytes())
                    .await
            } else {
                match body {
                    Some(body) => ann.call_with(method, path, body).await,
                    None => ann.call(method, path).await,
                }
            }
        };
        ask().await;
        quiet(bench).await;
        bench.proxy.reset();
        for _ in 0..rounds {
            ask().await;
        }
        push(bench, name, rounds, most, table);
        quiet(bench).await;
    }
    delete(bench, &ann, &keys, rounds, table).await;
    object_events(bench, rounds, table).await;
    Ok(())
}

/// Measures the deletion of files: its own two calls, without those of the event that follows.
async fn delete(bench: &BenchStack, ann: &Person<'_>, keys: &[String], rounds: u32, table: &mut Table) {
    ann.delete(&keys[0]).await;
    quiet(bench).await;
    let mut total = Passed::default();
    for key in &keys[1..] {
        bench.proxy.reset();
        ann.delete(key).await;
        quiet(bench).await;
        // `delete` itself marks the record and removes the version. The calls after the event belong to
        // `on-object-event`.
        let own = ["UpdateItem", "DeleteObject"];
        total += bench.proxy.passed(|_, operation| own.contains(&operation));
    }
    push_passed("delete", total, rounds, 2.0, "DeleteObject, UpdateItem", table);
}

/// Measures the calls that an upload causes behind the scenes.
async fn object_events(bench: &BenchStack, rounds: u32, table: &mut Table) {
    let bob = bench.stack.newcomer("enterprise");
    // A text, because the thumbnails of a picture take calls of their own.
    let text = vec![b'a'; 2_000];
    bob.upload("first.md", "text/markdown", text.clone()).await;
    quiet(bench).await;
    let mut total = Passed::default();
    for n in 0..rounds {
        let grant = bob.grant(&format!("{n}.md"), "text/markdown", 2_000).await.json();
        quiet(bench).await;
        bench.proxy.reset();
        bob.put(&grant, text.clone()).await;
        quiet(bench).await;
        // The upload itself, with the grant's signature, is not counted, nor are the calls of `publish-events`.
        let own = ["GetItem", "GetObject", "TransactWriteItems"];
        total += bench.proxy.passed(|_, operation| own.contains(&operation));
    }
    let note = "read the record, read the first bytes, one transaction";
    push_passed("on-object-event, an upload", total, rounds, 3.0, note, table);
}

/// Adds rows for all calls that the proxy has counted since its reset, and for their bytes.
pub(crate) fn push(bench: &BenchStack, name: &str, rounds: u32, most: f64, table: &mut Table) {
    let counts = bench.proxy.counts();
    let mut kinds: Vec<&str> = counts.keys().map(|(_, operation)| operation.as_str()).collect();
    kinds.sort_unstable();
    push_passed(name, bench.proxy.passed(|_, _| true), rounds, most, &kinds.join(", "), table);
}

/// Adds a row of calls and one of bytes, per request.
// A few kilobytes per request are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn push_passed(name: &str, passed: Passed, rounds: u32, most: f64, note: &str, table: &mut Table) {
    let each = |total: u64| total as f64 / f64::from(rounds);
    table.push(Row::new(GROUP, name, each(passed.calls.into()), "calls").at_most(most).with_note(note));
    table.push(Row::new(BYTES, name, each(passed.bytes), "bytes"));
}

/// Waits until nothing has passed the proxy for a while, so that all work behind the scenes is done.
pub(crate) async fn quiet(bench: &BenchStack) {
    let mut last = 0;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let now: u32 = bench.proxy.calls();
        if now == last {
            return;
        }
        last = now;
    }
}
