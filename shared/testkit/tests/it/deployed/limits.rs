//! Storage limits and rate limits under load.

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use consigne_core::Plan;
use consigne_runtime::clock;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use serde_json::json;

use super::assert_refused;

/// Fills a user's ledger until `left` bytes of their plan's limit are free.
async fn leave(stack: &Stack, user: &str, plan: Plan, left: u64) {
    aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config())
        .put_item()
        .table_name(stack.name("TABLE_NAME"))
        .item("pk", S(format!("USER#{user}")))
        .item("sk", S("USAGE".to_owned()))
        .item("committed", N((plan.allowances().storage - left).to_string()))
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_concurrent_grants_of_1_mb_ten_fit_into_10_mb() {
    let stack: &'static Stack = Box::leak(Box::new(Stack::find()));
    let ann = stack.newcomer("enterprise");
    leave(stack, &ann.id, Plan::Enterprise, 10 << 20).await;
    let token = ann.token.clone();
    let calls: Vec<_> = (0..100)
        .map(|n| {
            let bearer = format!("Bearer {token}");
            let body = json!({"filename": format!("{n}.png"), "contentType": "image/png", "size": 1 << 20}).to_string();
            tokio::spawn(async move {
                let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
                stack.call("POST", "/api/files/uploads", &headers, body.as_bytes()).await
            })
        })
        .collect();
    let (mut granted, mut refused) = (0, 0);
    for call in calls {
        let response = call.await.unwrap();
        if response.status == 201 {
            granted += 1;
        } else {
            assert_refused(&response, 403, "STORAGE_QUOTA_EXCEEDED");
            assert_eq!(response.json()["error"]["details"]["limit"], 10_u64 << 40);
            refused += 1;
        }
    }
    assert_eq!((granted, refused), (10, 90), "for {}", ann.id);
    assert_eq!(ann.usage().await["reservedSize"], 10 << 20);
}

#[tokio::test]
async fn the_61st_write_in_a_minute_is_refused() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    for n in 0..60 {
        assert_eq!(ann.grant("a.png", "image/png", 10).await.status, 201, "write {n}");
    }
    let refused = ann.grant("a.png", "image/png", 10).await;
    assert_refused(&refused, 429, "RATE_LIMITED");
    let seconds = |name| refused.header(name).parse::<u32>().unwrap_or_else(|_| panic!("{name}"));
    assert!((1..=60).contains(&seconds("retry-after")) && (1..=60).contains(&seconds("ratelimit-reset")));
    assert_eq!((seconds("ratelimit-limit"), seconds("ratelimit-remaining")), (60, 0));
    assert_eq!(ann.usage().await["reservedSize"], 600);
    // Reads do not count as writes, and a larger plan applies at once.
    assert_eq!(ann.call("GET", "/api/files/list").await.status, 200);
    assert_eq!(stack.person(&ann.id, "basic").grant("a.png", "image/png", 10).await.status, 201);
}

#[tokio::test]
async fn of_five_concurrent_grants_one_is_the_last_of_the_day() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    let now = clock::now().as_millis();
    let ledger = json!({ "pk": { "S": format!("USER#{}", ann.id) }, "sk": { "S": "USAGE" },
        "grants_started": { "N": now.to_string() }, "grants_count": { "N": "1999" } });
    stack.ask_table("PutItem", &json!({ "TableName": stack.name("TABLE_NAME"), "Item": ledger })).await;
    let answers = join_all((0..5).map(|_| ann.grant("a.png", "image/png", 10))).await;
    let (granted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((granted.len(), refused.len()), (1, 4));
    for answer in refused {
        assert_refused(answer, 429, "RATE_LIMITED");
        let seconds = |name| answer.header(name).parse::<u64>().unwrap_or_else(|_| panic!("{name}"));
        assert!(seconds("retry-after") <= 24 * 60 * 60 && seconds("ratelimit-reset") == seconds("retry-after"));
        assert_eq!((seconds("ratelimit-limit"), seconds("ratelimit-remaining")), (2_000, 0));
    }
    assert_eq!(ann.usage().await["reservedSize"], 10);
}

#[tokio::test]
async fn a_refused_grant_changes_nothing() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    leave(&stack, &ann.id, Plan::Free, 999).await;
    for _ in 0..3 {
        let refused = ann.grant("a.png", "image/png", 1000).await;
        assert_refused(&refused, 403, "STORAGE_QUOTA_EXCEEDED");
        assert_eq!(refused.json()["error"]["details"]["left"], 999);
    }
    assert_eq!(ann.usage().await["reservedSize"], 0);
    assert_eq!(ann.call("GET", "/api/files/list?status=pending").await.json()["total"], 0);
    assert_eq!(ann.grant("a.png", "image/png", 999).await.status, 201);
}
