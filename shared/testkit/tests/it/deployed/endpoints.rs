//! Customers' endpoints on the deployed stack: a stand-in receives the webhooks and verifies them with its own code.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use consigne_core::EventId;
use consigne_core::orgs::OrgRole;
use consigne_runtime::clock;
use consigne_testkit::hooks::{plan, seen};
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::schemas::assert_valid;
use consigne_testkit::stack::{Person, Stack, fresh_user, until};
use serde_json::{Value, json};

use super::mail::job_of;
use super::{assert_field_refused, assert_refused, text};

/// Returns a new name at the receiver, and its URL.
pub fn new_receiver(stack: &Stack) -> (String, String) {
    let name = fresh_user();
    let url = format!("{}/{name}?token=t", stack.name("RECEIVER_URL"));
    (name, url)
}

/// Registers an endpoint. Returns its id and its secret.
pub async fn register(fixture: &OrgFixture<'_>, person: &Person<'_>, url: &str, events: &[&str]) -> (String, String) {
    let body = json!({ "url": url, "events": events });
    let registered = person.call_with("POST", &fixture.path("/endpoints"), &body).await;
    assert_eq!(registered.status, 201, "{}", registered.json());
    let data = &registered.json()["data"];
    (text(data, "id"), text(data, "secret"))
}

/// Puts an event on the bus for each of the facts, as `publish-events` does.
pub async fn publish(stack: &Stack, kind: &str, facts: &[Value]) {
    let bus = aws_sdk_eventbridge::Client::new(&stack.aws().sdk_config());
    for some in facts.chunks(10) {
        let entry = |facts: &Value| {
            let now = clock::now();
            let mut detail = json!({ "event_id": EventId::mint(now), "occurred_at": now });
            detail.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
            assert_valid(kind, &detail.to_string());
            let entry =
                PutEventsRequestEntry::builder().source("consigne").detail_type(kind).detail(detail.to_string());
            entry.event_bus_name(stack.name("BUS_NAME")).build()
        };
        let put = bus.put_events().set_entries(Some(some.iter().map(entry).collect())).send().await.unwrap();
        assert_eq!(put.failed_entry_count, 0);
    }
}

/// Waits until a name has received so many webhooks. Returns them.
async fn arrived(stack: &Stack, name: &str, many: usize) -> Vec<Value> {
    let came = until(async || Some(seen(stack, name).await).filter(|came| came.len() >= many)).await;
    came.unwrap_or_else(|| panic!("{many} webhooks have not come"))
}

/// Waits until `good` accepts the newest delivery of an endpoint. Returns it.
async fn delivery(fixture: &OrgFixture<'_>, endpoint: &str, good: impl Fn(&Value) -> bool) -> Value {
    let path = fixture.path(&format!("/endpoints/{endpoint}/deliveries"));
    let mut last = Value::Null;
    let found = until(async || {
        last = fixture.owner.call("GET", &path).await.json()["data"][0].clone();
        good(&last).then(|| last.clone())
    });
    found.await.unwrap_or_else(|| panic!("{last}"))
}

#[tokio::test]
async fn webhooks_are_signed_and_retried_with_the_same_id_after_failures() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (name, url) = new_receiver(&stack);
    let (endpoint, secret) = register(&fixture, &fixture.owner, &url, &["key.issued"]).await;
    plan(&stack, &name, &[&secret], &json!([500, 500, 200])).await;
    // The whole path: the key's transaction, the outbox, the bus, the queue.
    let key = fixture.issue("test", &json!({})).await;
    let first = &arrived(&stack, &name, 2).await[0];
    assert_eq!((&first["verified"], &first["signatures"]), (&json!(true), &json!(1)), "{first}");
    let body: Value = serde_json::from_str(first["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["type"], &body["data"]["key_id"]), (&json!("key.issued"), &json!(key.id)));
    assert!(body["timestamp"].is_string() && body["data"]["event_id"].is_null(), "{body}");

    // The third attempt would come after a minute, so it is requested.
    let waiting =
        delivery(&fixture, &endpoint, |one| one["attempts"].as_array().is_some_and(|all| all.len() == 2)).await;
    assert_eq!((&waiting["status"], &waiting["attempts"][1]["status_code"]), (&json!("pending"), &json!(500)));
    let again = fixture.path(&format!("/deliveries/{}/redeliver", text(&waiting, "id")));
    let asked = fixture.owner.call("POST", &again).await;
    assert_eq!(asked.status, 200, "{}", asked.json());
    let came = arrived(&stack, &name, 3).await;
    let ids: BTreeSet<&str> = came.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, BTreeSet::from([text(&waiting, "id").as_str()]), "all attempts have the same id");
    let waits = came[1]["at"].as_f64().unwrap() - came[0]["at"].as_f64().unwrap();
    assert!(waits >= 4.9, "{waits} s");
    let done = delivery(&fixture, &endpoint, |one| one["status"] == "delivered").await;
    assert_eq!(done["attempts"].as_array().unwrap().len(), 3);
    assert_eq!(seen(&stack, &name).await.len(), 3, "no further webhook");
}

#[tokio::test]
async fn a_test_is_signed_and_goes_to_one_endpoint_whatever_it_subscribes_to() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let ((name, url), (other, other_url)) = (new_receiver(&stack), new_receiver(&stack));
    let (endpoint, secret) = register(&fixture, &fixture.owner, &url, &["stats.ready"]).await;
    let (_, other_secret) = register(&fixture, &fixture.owner, &other_url, &["key.issued"]).await;
    plan(&stack, &name, &[&secret], &json!([200])).await;
    plan(&stack, &other, &[&other_secret], &json!([200])).await;
    let asked = fixture.owner.call("POST", &fixture.path(&format!("/endpoints/{endpoint}/test"))).await;
    assert_eq!(asked.status, 202, "{}", asked.json());
    let came = &arrived(&stack, &name, 1).await[0];
    let id = text(&asked.json()["data"], "delivery_id");
    assert_eq!((&came["verified"], &came["id"]), (&json!(true), &json!(id)), "{came}");
    let body: Value = serde_json::from_str(came["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["type"], &body["data"]["endpoint_id"]), (&json!("endpoint.test"), &json!(endpoint)));
    let listed = delivery(&fixture, &endpoint, |one| one["status"] == "delivered").await;
    assert_eq!((&listed["id"], &listed["type"]), (&json!(id), &json!("endpoint.test")));
    assert!(seen(&stack, &other).await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_answers_410_is_disabled_and_can_be_enabled_again() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (name, url) = new_receiver(&stack);
    let (endpoint, secret) = register(&fixture, &fixture.owner, &url, &["stats.ready"]).await;
    plan(&stack, &name, &[&secret], &json!([410])).await;
    let fact = json!({ "org_id": fixture.org, "date": "2026-11-20" });
    publish(&stack, "stats.ready", std::slice::from_ref(&fact)).await;
    let failed = delivery(&fixture, &endpoint, |one| one["status"] == "failed").await;
    let listed = fixture.owner.call("GET", &fixture.path("/endpoints")).await.json()["data"][0].clone();
    assert_eq!((&listed["status"], &listed["disabled_reason"]), (&json!("disabled"), &json!("gone")));
    assert!(listed["secret"].is_null(), "{listed}");
    let again = fixture.path(&format!("/deliveries/{}/redeliver", text(&failed, "id")));
    assert_refused(&fixture.owner.call("POST", &again).await, 409, "CONFLICT");
    let patch = json!({ "status": "active" });
    let enabled = fixture.owner.call_with("PATCH", &fixture.path(&format!("/endpoints/{endpoint}")), &patch).await;
    assert_eq!(enabled.json()["data"]["status"], "active");
    let moved = json!({ "url": format!("{url}&moved=1") });
    let changed = fixture.owner.call_with("PATCH", &fixture.path(&format!("/endpoints/{endpoint}")), &moved).await;
    assert_eq!((changed.status, &changed.json()["data"]["url"]), (200, &moved["url"]));
    // So the address that it had is free again.
    register(&fixture, &fixture.owner, &url, &["key.issued"]).await;
    assert_eq!(fixture.owner.call("POST", &again).await.status, 200);
    delivery(&fixture, &endpoint, |one| one["status"] == "delivered").await;
    let deleted = fixture.owner.call("DELETE", &fixture.path(&format!("/endpoints/{endpoint}"))).await;
    assert_eq!(deleted.status, 200);
    let gone = fixture.owner.call("GET", &fixture.path(&format!("/endpoints/{endpoint}/deliveries"))).await;
    assert_refused(&gone, 404, "NOT_FOUND");
}

#[tokio::test]
async fn endpoints_with_internal_addresses_are_refused() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    for url in [
        "https://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://[::ffff:169.254.169.254]/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://u:p@hooks.example.com/",
        "http://hooks.example.com/",
    ] {
        let body = json!({ "url": url, "events": ["stats.ready"] });
        let refused = fixture.owner.call_with("POST", &fixture.path("/endpoints"), &body).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", "url");
    }
}

#[tokio::test]
async fn only_the_status_of_a_receivers_answer_counts() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (name, url) = new_receiver(&stack);
    let (endpoint, secret) = register(&fixture, &fixture.owner, &url, &["stats.ready"]).await;
    let inside = format!("{}/{name}/inside", stack.name("RECEIVER_URL"));
    let answers = json!([{ "status": 307, "location": inside }, { "status": 200, "size": 50_000_000 }]);
    plan(&stack, &name, &[&secret], &answers).await;
    publish(&stack, "stats.ready", &[json!({ "org_id": fixture.org, "date": "2026-11-20" })]).await;
    let done = delivery(&fixture, &endpoint, |one| one["status"] == "delivered").await;
    assert_eq!(done["attempts"][0]["error"], "redirect");
    assert!(done["attempts"][1]["response"].as_str().unwrap().len() <= 200);
    assert!(seen(&stack, &format!("{name}/inside")).await.is_empty(), "redirects must not be followed");
}

#[tokio::test]
async fn both_secrets_are_valid_during_a_rotation() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (name, url) = new_receiver(&stack);
    let (endpoint, old) = register(&fixture, &fixture.owner, &url, &["stats.ready"]).await;
    let path = fixture.path(&format!("/endpoints/{endpoint}/rotate"));
    let rotated = fixture.owner.call_with("POST", &path, &json!({ "grace_seconds": 60 })).await;
    assert_eq!(rotated.status, 201, "{}", rotated.json());
    let new = text(&rotated.json()["data"], "secret");
    assert_ne!(new, old);
    for (n, secret) in [&old, &new].into_iter().enumerate() {
        plan(&stack, &name, &[secret], &json!([])).await;
        publish(&stack, "stats.ready", &[json!({ "org_id": fixture.org, "date": "2026-11-20" })]).await;
        let came = arrived(&stack, &name, n + 1).await;
        assert_eq!((&came[n]["verified"], &came[n]["signatures"]), (&json!(true), &json!(2)));
    }
}

#[tokio::test]
async fn an_event_about_a_person_reaches_only_their_own_endpoints() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let developer = fixture.add_member(OrgRole::Developer).await;
    let [(theirs, their_url), (ours, our_url)] = [new_receiver(&stack), new_receiver(&stack)];
    register(&fixture, &developer, &their_url, &["job.completed"]).await;
    let (own, _) = register(&fixture, &fixture.owner, &our_url, &["job.completed"]).await;
    publish(&stack, "job.completed", &[job_of(&fixture.owner)]).await;
    arrived(&stack, &ours, 1).await;
    assert!(seen(&stack, &theirs).await.is_empty());
    let seen_by = developer.call("GET", &fixture.path(&format!("/endpoints/{own}/deliveries"))).await;
    assert_eq!(seen_by.json()["data"], json!([]), "it must not be in their list");
}

#[tokio::test]
async fn eighty_deliveries_to_one_endpoint_arrive_at_ten_per_second() {
    const MANY: usize = 80;
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (name, url) = new_receiver(&stack);
    let (_, secret) = register(&fixture, &fixture.owner, &url, &["stats.ready"]).await;
    plan(&stack, &name, &[&secret], &json!([])).await;
    let facts: Vec<Value> = (0..MANY).map(|_| json!({ "org_id": fixture.org, "date": "2026-11-20" })).collect();
    publish(&stack, "stats.ready", &facts).await;
    let came = arrived(&stack, &name, MANY).await;
    let ids: BTreeSet<&str> = came.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), came.len()), (MANY, MANY), "each once");
    assert!(came.iter().all(|one| one["verified"] == true));
    let mut at: Vec<f64> = came.iter().map(|one| one["at"].as_f64().unwrap()).collect();
    at.sort_by(f64::total_cmp);
    // Webhooks are sent 0.1 s apart, but a busy machine may delay some, so that they arrive together. Another test
    // checks the exact times with a simulated clock.
    for (span, most) in [(1.0, 15), (3.0, 36)] {
        for (n, from) in at.iter().enumerate() {
            let within = at[n..].iter().take_while(|then| **then - from < span).count();
            assert!(within <= most, "{within} within {span} s");
        }
    }
    let whole = at[MANY - 1] - at[0];
    assert!(whole >= 7.8, "{MANY} within {whole} s");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(seen(&stack, &name).await.len(), MANY, "no further webhook");
}
