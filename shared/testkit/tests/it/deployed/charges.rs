//! Charges of keys: concurrent, repeated, late, and after the key was revoked.

use std::sync::atomic::{AtomicU32, Ordering};

use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{assert_field_refused, assert_refused, text};

fn valid(data: &Value) -> bool {
    data["valid"] == true
}

#[tokio::test]
async fn five_workers_spend_exactly_a_hundred_credits() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 100).await;
    let key = fixture.issue("production", &json!({})).await;
    let (left, charged) = (AtomicU32::new(300), AtomicU32::new(0));
    let worker = async || {
        while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let data = fixture.charge(&key, None).await;
            assert!(valid(&data) || data["code"] == "INSUFFICIENT_CREDITS", "{data}");
            charged.fetch_add(u32::from(valid(&data)), Ordering::SeqCst);
        }
    };
    join_all((0..5).map(|_| worker())).await;
    let wallet = fixture.wallet().await;
    assert_eq!(charged.into_inner(), 100);
    assert_eq!((&wallet["balance"], &wallet["total_used"]), (&json!(0), &json!(100)));
}

#[tokio::test]
async fn of_a_thousand_concurrent_calls_one_gets_the_last_credit() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 1).await;
    let key = fixture.issue("production", &json!({})).await;
    // As many execution environments as a laptop can run. The table's contract tests send all thousand at once.
    let doors = Semaphore::new(40);
    let call = async |n: usize| {
        let body = json!({ "key": key.text, "cost": 1 });
        let _door = doors.acquire().await.unwrap();
        loop {
            // A call that waits too long for the wallet gets 503, and is retried with the same idempotency key.
            match stack.try_serve("/api/keys/verify", &body, Some(&format!("call {n}"))).await {
                Ok(answer) if answer.status == 200 => return answer.json()["data"].clone(),
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    };
    let answers = join_all((0..1_000).map(call)).await;
    assert_eq!(answers.iter().filter(|data| valid(data)).count(), 1);
    let refused = answers.iter().filter(|data| data["code"] == "INSUFFICIENT_CREDITS" && data["limiter"] == "wallet");
    assert_eq!(refused.count(), 999);
    let log = until(async || {
        let log = fixture.owner.call("GET", &fixture.path("/usage")).await.json();
        (log["metadata"]["total"] == 1).then_some(log)
    });
    assert!(log.await.is_some(), "there must be one receipt");
    assert_eq!(fixture.wallet().await["balance"], 0);
}

#[tokio::test]
async fn a_retry_gets_its_receipt_and_another_request_with_the_key_is_refused() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let (key, second) = (fixture.issue("production", &json!({})).await, fixture.issue("production", &json!({})).await);
    let first = fixture.charge(&key, Some("order 17")).await;
    assert!(text(&first, "receipt_id").starts_with("rcpt_"));
    let again = join_all((0..10).map(|_| fixture.charge(&key, Some("order 17")))).await;
    assert!(again.iter().all(|data| *data == first), "{again:?}");
    let other_cost = fixture.verify(&key.text, &json!({ "cost": 3 }), Some("order 17")).await;
    assert_refused(&other_cost, 422, "IDEMPOTENCY_MISMATCH");
    let other_key = fixture.verify(&second.text, &json!({ "cost": 1 }), Some("order 17")).await;
    assert_refused(&other_key, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(fixture.wallet().await["balance"], 9);

    let revoked = fixture.change("POST", &key, "/revoke", &json!({ "reason": "leaked" })).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(fixture.charge(&key, Some("order 17")).await, first, "a retry of a charged call must succeed");
    assert_eq!(fixture.charge(&key, Some("order 18")).await["code"], "REVOKED");
}

#[tokio::test]
async fn no_execution_environment_charges_a_revoked_key() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 1_000).await;
    let key = fixture.issue("production", &json!({})).await;
    // As many concurrent calls, and so many execution environments that have cached the key.
    let warm = join_all((0..20).map(|_| fixture.charge(&key, None))).await;
    assert!(warm.iter().all(valid));
    let revoked = fixture.change("POST", &key, "/revoke", &json!({ "reason": "leaked" })).await;
    assert_eq!((revoked.status, &revoked.json()["data"]["status"]), (200, &json!("revoked")));
    let after = join_all((0..60).map(|_| fixture.charge(&key, None))).await;
    assert!(after.iter().all(|data| data["code"] == "REVOKED" && data["limiter"] == "key"), "{after:?}");
    assert_eq!(fixture.wallet().await["total_used"], 20);
}

#[tokio::test]
async fn a_malformed_key_is_refused_without_an_aws_call() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let mut changed = key.text.clone();
    let other = if changed.ends_with('0') { "1" } else { "0" };
    changed.replace_range(changed.len() - 1.., other);
    let cut = &key.text[..key.text.len() - 1];
    let swapped = key.text.replacen("sk_live_", "sk_test_", 1);
    let longer = format!("{}0", key.text);
    for bad in [changed.as_str(), cut, &swapped, &longer, "", "sk_live_", "é", &"x".repeat(5_000)] {
        let answer = fixture.verify(bad, &json!({ "cost": 1 }), None).await;
        assert_eq!(answer.status, 200, "{bad}");
        let data = answer.json()["data"].clone();
        assert_eq!(data, json!({ "valid": false, "code": "NOT_FOUND", "limiter": null, "resets_at": null }), "{bad}");
        let request = answer.header("x-request-id").to_owned();
        let line = until(async || stack.log_lines("key-verify", &request).await.into_iter().next()).await.unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["aws.calls"], 0, "{line}");
    }
    assert_eq!(fixture.wallet().await["balance"], 10);
}

#[tokio::test]
async fn an_empty_test_wallet_is_reported_and_the_production_wallet_is_not_charged() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 1_000).await;
    let key = fixture.issue("test", &json!({})).await;
    let all = fixture.verify(&key.text, &json!({ "cost": 100, "include": ["remaining"] }), None).await.json();
    assert_eq!((&all["data"]["environment"], &all["data"]["remaining"]["credits"]), (&json!("test"), &json!(0)));
    let refused = fixture.charge(&key, None).await;
    assert_eq!((&refused["code"], &refused["limiter"]), (&json!("INSUFFICIENT_CREDITS"), &json!("test_wallet")));
    let wallet = fixture.wallet().await;
    assert_eq!(refused["resets_at"], wallet["test"]["resets_at"]);
    assert_eq!((&wallet["balance"], &wallet["test"]["balance"]), (&json!(1_000), &json!(0)));
}

#[tokio::test]
async fn a_daily_quota_of_twelve_admits_twelve_of_sixty_two_calls() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 100).await;
    let key = fixture.issue("production", &json!({ "daily_quota": 12, "monthly_quota": 200 })).await;
    let mut charged = 0;
    for _ in 0..62 {
        let data = fixture.charge(&key, None).await;
        charged += u32::from(valid(&data));
        if !valid(&data) {
            assert_eq!((&data["code"], &data["limiter"]), (&json!("DAILY_QUOTA_EXCEEDED"), &json!("key")));
            assert!(text(&data, "resets_at").ends_with("T00:00:00Z"));
        }
    }
    assert_eq!(charged, 12);
    let listed = fixture.owner.call("GET", &fixture.path("/keys")).await.json();
    let row = &listed["data"][0];
    assert_eq!((&row["daily_used"], &row["monthly_used"]), (&json!(12), &json!(12)), "188 calls of the month are left");
}

#[tokio::test]
async fn a_check_without_a_charge_writes_nothing() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 5).await;
    let key = fixture.issue("production", &json!({ "daily_quota": 7 })).await;
    let probe = json!({ "cost": 0, "service": "ai", "scope": "pdf:read", "include": ["remaining"] });
    let data = fixture.verify(&key.text, &probe, Some("k")).await.json()["data"].clone();
    assert_eq!((valid(&data), &data["receipt_id"]), (true, &Value::Null));
    assert_eq!(data["remaining"], json!({ "credits": 5, "minute": null, "daily": 7, "monthly": null }));
    let neither = fixture.verify(&key.text, &json!({ "scope": "ai:read" }), None).await.json()["data"].clone();
    assert_eq!(neither["code"], "INSUFFICIENT_SCOPE");
    let unknown = fixture.verify(&key.text, &json!({ "service": "fax" }), None).await.json()["data"].clone();
    assert_eq!(unknown["code"], "SERVICE_UNKNOWN");
    assert_eq!(fixture.wallet().await["balance"], 5);
    let row = fixture.owner.call("GET", &fixture.path("/keys")).await.json()["data"][0].clone();
    assert_eq!((&row["daily_used"], &row["last_used_at"]), (&json!(0), &Value::Null));
    // Without a cost in the request, the catalogue's price is charged.
    let paid = fixture.verify(&key.text, &json!({ "service": "ai" }), None).await.json()["data"].clone();
    assert_eq!((valid(&paid), &fixture.wallet().await["balance"]), (true, &json!(2)));
}

#[tokio::test]
async fn receipts_are_the_usage_log_and_accept_one_outcome() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let reported = json!({
        "service": "pdf", "ip": "2001:db8::1", "endpoint": "/v1/pdf", "method": "POST", "country": "FR",
        "user_agent": "curl/8 é",
    });
    let receipt = text(&fixture.verify(&key.text, &reported, None).await.json()["data"], "receipt_id");
    let path = format!("/api/keys/receipts/{receipt}/outcome");
    let outcome = json!({ "status_code": 201, "response_ms": 87, "details": { "pages": 3 } });
    for _ in 0..2 {
        assert_eq!(stack.serve(&path, &outcome, None).await.status, 200);
    }
    let other = json!({ "status_code": 500, "response_ms": 87 });
    assert_refused(&stack.serve(&path, &other, None).await, 409, "CONFLICT");
    let nobody = path.replace("/outcome", "X/outcome");
    assert_refused(&stack.serve(&nobody, &outcome, None).await, 404, "NOT_FOUND");
    assert_field_refused(
        &stack.serve(&path, &json!({ "status_code": 99, "response_ms": 1 }), None).await,
        400,
        "INVALID_REQUEST",
        "status_code",
    );
    let today = &consigne_runtime::clock::now().to_string()[..10];
    let log = until(async || {
        let log = fixture.owner.call("GET", &fixture.path(&format!("/usage?day={today}&key={}", key.id))).await.json();
        log["data"][0]["status_code"].is_u64().then_some(log)
    });
    let log = log.await.expect("the usage log has the call");
    let mut entry = log["data"][0].clone();
    entry["timestamp"] = json!("now");
    assert_eq!(
        entry,
        json!({
            "receipt_id": receipt, "key_id": key.id, "environment": "production", "service": "pdf", "endpoint": "/v1/pdf",
            "method": "POST", "status_code": 201, "response_ms": 87, "credits": 1, "ip": "2001:db8::1", "country": "FR",
            "user_agent": "curl/8 é", "details": { "pages": 3 }, "timestamp": "now",
        })
    );
    let row = fixture.owner.call("GET", &fixture.path("/keys")).await.json()["data"][0].clone();
    assert_eq!(row["last_used_ip"], "2001:db8::1");
    let bad_day = fixture.owner.call("GET", &fixture.path("/usage?day=today")).await;
    assert_field_refused(&bad_day, 400, "INVALID_REQUEST", "day");
}

#[tokio::test]
async fn checking_a_key_needs_a_service_token() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let body = json!({ "key": key.text, "cost": 1 }).to_string();
    let owner = format!("Bearer {}", fixture.owner.token);
    let itself = format!("Bearer {}", key.text);
    let almost = format!("Bearer {}x", stack.name("SERVICE_TOKEN"));
    let bare = stack.name("SERVICE_TOKEN").to_owned();
    for credential in ["", &owner, &itself, &almost, &bare] {
        let headers = [("authorization", credential), ("content-type", "application/json")];
        let refused = stack.call("POST", "/api/keys/verify", &headers, body.as_bytes()).await;
        assert_refused(&refused, 401, "UNAUTHENTICATED");
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
    }
    // A key or a service token is no session token either.
    let get = async |token: &str| {
        stack.call("GET", &fixture.path("/wallet"), &[("authorization", &format!("Bearer {token}"))], b"").await
    };
    assert_refused(&get(&key.text).await, 401, "API_KEY_NOT_ACCEPTED");
    assert_refused(&get(stack.name("SERVICE_TOKEN")).await, 401, "UNAUTHENTICATED");
    assert_eq!(fixture.wallet().await["balance"], 10);
}
