//! Uploads in bulk, a hundred at a time, by one user and by many. Every byte must be accounted for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use consigne_testkit::stack::{Stack, fresh_user};
use consigne_testkit::{http, pictures};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::stack::BenchStack;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say};

/// Uploads at the same time.
const AT_ONCE: usize = 100;
/// Longest time for an upload to become ready.
const MAX_WAIT: Duration = Duration::from_mins(2);

/// Measures `count` uploads by one user, then by fifty.
pub(crate) async fn measure(bench: &BenchStack, count: usize, table: &mut Table) -> Result<(), Problem> {
    for people in [1, 50] {
        say(&format!("Uploading {count} files, {AT_ONCE} at a time, by {people}..."));
        let users: Arc<Vec<(String, String)>> = Arc::new(
            (0..people)
                .map(|_| {
                    let user = fresh_user();
                    let token = bench.stack.issuer.token(&user, "enterprise");
                    (user, token)
                })
                .collect(),
        );
        let began = Instant::now();
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let uploads = (0..count).map(|n| {
            let (gate, users, stack) = (gate.clone(), users.clone(), bench.stack);
            tokio::spawn(async move {
                let _turn = gate.acquire_owned().await;
                let (_, token) = &users[n % users.len()];
                upload(stack, token, n).await
            })
        });
        let mut times = Vec::new();
        let (mut ready, mut bytes) = (0_u64, 0_u64);
        for outcome in join_all(uploads).await {
            if let Ok(Some((size, took))) = outcome {
                ready += 1;
                bytes += size;
                times.push(took.as_secs_f64() * 1000.0);
            }
        }
        let took = began.elapsed().as_secs_f64();
        let books = Books::of(bench.stack, &users).await;
        report(people, count, ready, bytes, &books, &mut times, took, table);
    }
    Ok(())
}

/// Uploads one file and waits until it is ready. Returns its size and the time it took.
async fn upload(stack: &Stack, token: &str, n: usize) -> Option<(u64, Duration)> {
    let began = Instant::now();
    let size = 1_000 + n % 977;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({ "filename": format!("{n}.png"), "contentType": "image/png", "size": size }).to_string();
    let grant = stack.call("POST", "/api/files/uploads", &headers, body.as_bytes()).await;
    if grant.status != 201 {
        return None;
    }
    let grant = grant.json();
    let sent = put(&stack.client, &grant, pictures::png(640, 480, size)).await;
    if sent != 200 {
        return None;
    }
    let path = format!("/api/files/metadata?s3Key={}", grant["s3Key"].as_str()?);
    while began.elapsed() < MAX_WAIT {
        let facts = stack.call("GET", &path, &headers[..1], b"").await.json();
        if facts["status"] == "ready" {
            return Some((size as u64, began.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    None
}

async fn put(client: &http::Client, grant: &Value, bytes: Vec<u8>) -> u16 {
    let headers: Vec<(&str, &str)> = grant["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    client.send("PUT", grant["url"].as_str().unwrap_or_default(), &headers, bytes).await.status
}

/// What the stack's ledgers and lists contain.
#[derive(Debug, Default)]
struct Books {
    files: u64,
    bytes: u64,
    reserved: u64,
    listed: u64,
    listed_bytes: u64,
}

impl Books {
    async fn of(stack: &Stack, users: &[(String, String)]) -> Self {
        let mut books = Self::default();
        for (_, token) in users {
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str())];
            let usage = stack.call("GET", "/api/files/usage", &headers, b"").await.json();
            let number = |name: &str| usage[name].as_u64().unwrap_or(0);
            books.files += number("totalFiles");
            books.bytes += number("totalSize");
            books.reserved += number("reservedSize");
            let page = stack.call("GET", "/api/files/list?limit=1000", &headers, b"").await.json();
            for file in page["files"].as_array().into_iter().flatten() {
                books.listed += 1;
                books.listed_bytes += file["size"].as_u64().unwrap_or(0);
            }
        }
        books
    }
}

// Counts and sizes are far below 2^52.
#[allow(clippy::cast_precision_loss, clippy::too_many_arguments)]
fn report(
    people: usize,
    count: usize,
    ready: u64,
    bytes: u64,
    books: &Books,
    times: &mut [f64],
    took: f64,
    table: &mut Table,
) {
    let who = if people == 1 { "one user".to_owned() } else { format!("{people} users") };
    // Without the count, so that a quick run and a full one can be compared.
    let group = format!("Uploads in bulk, {AT_ONCE} at a time, {who}");
    let share = ready as f64 * 100.0 / count as f64;
    table.push(Row::new(&group, "ready", share, "%").at_least(99.5).with_note(format!("of {count}")));
    // Each of these counts the same files in another way. Every difference is a lost file or one too many.
    let orphans = books.files.abs_diff(ready) + books.listed.abs_diff(ready);
    table.push(Row::new(&group, "files in ledger and list beside those ready", orphans as f64, "files").at_most(0.0));
    let stray = books.bytes.abs_diff(bytes) + books.listed_bytes.abs_diff(bytes) + books.reserved;
    table.push(Row::new(&group, "bytes in ledger and list beside those sent", stray as f64, "bytes").at_most(0.0));
    table.push(Row::new(&group, "grant to ready, median", quantile(times, 0.5), "ms").of_this_machine());
    table.push(Row::new(&group, "grant to ready, 95 %", quantile(times, 0.95), "ms").of_this_machine());
    table.push(Row::new(&group, "uploads a second", count as f64 / took, "1/s").of_this_machine());
}
