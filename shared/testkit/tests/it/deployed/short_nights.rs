//! Work of a night that is too much for one invocation continues with a message. The functions are given so little time
//! that each page of work is too much.

use consigne_core::KeyId;
use consigne_core::credits::ChargeOutcome;
use consigne_core::maintenance::Maintenance;
use consigne_core::periods::Day;
use consigne_core::ports::{ChargeKey, GetKey, ListStats, ListStorage};
use consigne_core::stats::{DaySpan, StatsMessage, StorageMessage};
use consigne_runtime::clock;
use consigne_testkit::accounts;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::stats::put_on_queue;

/// Counts a day of calls, stored bytes and old counters on a stack whose functions have little time.
pub(super) async fn continue_by_message(stack: &Stack) {
    // Each is below the time that the function keeps for its answer.
    for (function, seconds) in [("stats-organisation", 9), ("stats-storage", 9), ("quota-organisation", 15)] {
        let path = format!("/2015-03-31/functions/{}-{function}/configuration", stack.name("STACK_NAME"));
        assert_eq!(stack.operate("lambda", "PUT", &path, &json!({ "Timeout": seconds })).await.status, 200);
    }
    let fixture = OrgFixture::open(stack, 10).await;
    calls(stack, &fixture).await;
    counters(stack, &fixture).await;
    stored(stack).await;
}

/// Reads an item of the table.
async fn item(stack: &Stack, pk: &str, sk: &str) -> Value {
    let key = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
    let get = json!({ "TableName": stack.name("TABLE_NAME"), "Key": key, "ConsistentRead": true });
    stack.ask_table("GetItem", &get).await["Item"].clone()
}

/// Writes copies of an item, each with other attributes.
async fn copy(stack: &Stack, item: &Value, others: Vec<Value>) {
    let copies: Vec<Value> = others
        .iter()
        .map(|other| {
            let mut copy = item.clone();
            copy.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            json!({ "PutRequest": { "Item": copy } })
        })
        .collect();
    // One after the other, so that the laptop's server answers others in between.
    for some in copies.chunks(25) {
        let requests = json!({ "RequestItems": { stack.name("TABLE_NAME"): some } });
        stack.ask_table("BatchWriteItem", &requests).await;
    }
}

/// A day with one call more than a page.
async fn calls(stack: &Stack, fixture: &OrgFixture<'_>) {
    const PAGE: u64 = 1_000;
    let (table, day) = (stack.table(), Day::of(clock::now()).minus(1));
    let held = fixture.issue("production", &json!({})).await;
    let key = table.get_key(fixture.id(), KeyId::parse(&held.id).unwrap()).await.unwrap().unwrap();
    let charge = accounts::charge(&key.facts(), 2, None, day.starts());
    assert_eq!(table.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
    let id = charge.receipt.id;
    let pk = format!("RECEIPT#{}#{}", id.org(), id.tail());
    let receipt = item(stack, &pk, "RECEIPT").await;
    let sorted = receipt["gsi1sk"]["S"].as_str().unwrap();
    let others = (0..PAGE).map(|n| {
        let (pk, sorted) = (format!("{pk}{n:04}"), format!("{sorted}{n:04}"));
        json!({ "pk": { "S": pk }, "gsi1sk": { "S": sorted } })
    });
    copy(stack, &receipt, others.collect()).await;
    put_on_queue(stack, "stats", StatsMessage::new(fixture.id(), day).message().unwrap()).await;
    let counted = until(async || table.list_stats(fixture.id(), DaySpan::of(day)).await.unwrap().pop());
    let figures = counted.await.expect("the day must be counted").figures;
    assert_eq!((figures.requests, figures.credits), (PAGE + 1, 2 * (PAGE + 1)));
    let lines = stack.log_lines("stats-organisation", &fixture.org).await;
    assert!(lines.iter().any(|line| line.contains("stats.to_be_continued")), "{lines:?}");
}

/// Keys of an organisation that are more than a page, each with a counter that nobody needs.
async fn counters(stack: &Stack, fixture: &OrgFixture<'_>) {
    const PAGE: usize = 100;
    let held = fixture.issue("production", &json!({})).await;
    let pk = format!("ORG#{}", fixture.org);
    let key = item(stack, &pk, &format!("KEY#{}", held.id)).await;
    let ids: Vec<String> = (0..=PAGE).map(|_| KeyId::mint(clock::now()).to_string()).collect();
    let old = |id: &String| json!({ "sk": { "S": format!("KEY#{id}") }, "used.2020-01-01": { "N": "7" } });
    copy(stack, &key, ids.iter().map(old).collect()).await;
    let message = Maintenance { org: fixture.id(), at: clock::now(), after: None }.message().unwrap();
    put_on_queue(stack, "quota", message).await;
    let clean = until(async || {
        let keys = json!({
            "TableName": stack.name("TABLE_NAME"), "KeyConditionExpression": "pk = :pk AND begins_with(sk, :keys)",
            "ExpressionAttributeValues": { ":pk": { "S": pk }, ":keys": { "S": "KEY#" } }, "ConsistentRead": true,
        });
        let keys = stack.ask_table("Query", &keys).await["Items"].as_array().cloned().unwrap_or_default();
        assert!(keys.len() > PAGE, "{}", keys.len());
        keys.iter().all(|key| key["used.2020-01-01"].is_null()).then_some(())
    });
    assert_eq!(clean.await, Some(()), "old counters are left");
}

/// What users store is listed in shards, each of which has a page at least.
async fn stored(stack: &Stack) {
    let (table, today, began) = (stack.table(), Day::of(clock::now()), clock::now());
    put_on_queue(stack, "storage", StorageMessage::new(today).message().unwrap()).await;
    let counted = until(async || {
        let day = table.list_storage(DaySpan::of(today)).await.unwrap().pop()?;
        (day.counted_at >= began).then_some(day.totals)
    });
    let totals = counted.await.expect("stored bytes must be counted");
    assert!(totals.of(consigne_core::Plan::Pro).users >= 1, "{totals:?}");
    let continued = until(async || {
        let lines = stack.log_lines("stats-storage", "storage.to_be_continued").await;
        (!lines.is_empty()).then_some(())
    });
    assert_eq!(continued.await, Some(()), "one invocation was enough");
}
