//! Holds of credits: a service opens them and settles or voids them once; if it does neither, they are released.

use consigne_core::credits::{ClawBackOutcome, HoldId, PurchaseOutcome};
use consigne_core::ports::{ClawBackCredits, CreditPurchase};
use consigne_runtime::clock;
use consigne_testkit::accounts;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::stack::{Stack, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::{assert_field_refused, assert_refused, text};

/// Requests a hold.
async fn ask(stack: &Stack, key: &HeldKey, amount: u64, idempotent: Option<&str>) -> Response {
    let body = json!({ "key": key.text, "amount": amount, "service": "pdf", "ttl_seconds": 600 });
    stack.serve("/api/credits/holds", &body, idempotent).await
}

/// Opens a hold. Returns its id.
async fn held(stack: &Stack, key: &HeldKey, amount: u64) -> String {
    let answer = ask(stack, key, amount, None).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    text(&answer.json()["data"], "hold_id")
}

async fn settle(stack: &Stack, hold: &str, amount: u64) -> Response {
    let body = json!({ "amount": amount, "status_code": 200, "response_ms": 1_234 });
    stack.serve(&format!("/api/credits/holds/{hold}/settle"), &body, None).await
}

async fn void(stack: &Stack, hold: &str, reason: &str) -> Response {
    stack.serve(&format!("/api/credits/holds/{hold}/void"), &json!({ "reason": reason }), None).await
}

/// Returns balance, held and used credits.
async fn numbers(fixture: &OrgFixture<'_>) -> Value {
    let wallet = fixture.wallet().await;
    json!([wallet["balance"], wallet["held"], wallet["total_used"]])
}

/// Changes a hold so that it expired an hour ago.
async fn let_expire(stack: &Stack, hold: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::{N, S};
    let id = HoldId::parse(hold).unwrap();
    let past = clock::now().minus(std::time::Duration::from_hours(1)).as_millis().to_string();
    aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config())
        .update_item()
        .table_name(stack.name("TABLE_NAME"))
        .key("pk", S(format!("HOLD#{}#{}", id.org(), id.tail())))
        .key("sk", S("HOLD".to_owned()))
        .update_expression("SET due_at = :past, expires_at = :past")
        .expression_attribute_values(":past", N(past))
        .send()
        .await
        .unwrap();
}

async fn sweep(stack: &Stack) -> Value {
    let swept = stack.invoke("sweep", &json!({ "time": clock::now().to_string() })).await;
    assert_eq!(swept.status, 200, "{}", swept.json());
    swept.json()
}

#[tokio::test]
async fn a_hold_of_thirty_credits_is_settled_for_twelve() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 50).await;
    let key = fixture.issue("production", &json!({ "daily_quota": 1 })).await;
    let hold = held(&stack, &key, 30).await;
    assert_eq!(numbers(&fixture).await, json!([20, 30, 0]));
    assert_refused(&ask(&stack, &key, 1, None).await, 429, "RATE_LIMITED");
    assert_refused(&settle(&stack, &hold, 31).await, 422, "HOLD_EXCEEDED");
    let first = settle(&stack, &hold, 12).await;
    assert_eq!(first.status, 200, "{}", first.json());
    assert_eq!(numbers(&fixture).await, json!([38, 0, 12]));
    assert_eq!(settle(&stack, &hold, 12).await.json()["data"], first.json()["data"], "the retry");
    assert_refused(&settle(&stack, &hold, 13).await, 409, "HOLD_RESOLVED");
    assert_refused(&void(&stack, &hold, "provider_error").await, 409, "HOLD_RESOLVED");
    assert_eq!(numbers(&fixture).await, json!([38, 0, 12]));
    let row = until(async || {
        let log = fixture.owner.call("GET", &fixture.path("/usage")).await.json();
        log["data"][0]["status_code"].is_u64().then(|| log["data"][0].clone())
    });
    let row = row.await.expect("the usage log must have the settlement");
    let shown = (&row["credits"], &row["service"], &row["status_code"], &row["response_ms"], &row["receipt_id"]);
    let receipt = &first.json()["data"]["receipt_id"];
    assert_eq!(shown, (&json!(12), &json!("pdf"), &json!(200), &json!(1_234), receipt));
}

#[tokio::test]
async fn an_expired_hold_is_released_once() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 50).await;
    let key = fixture.issue("production", &json!({})).await;
    let (forgotten, other) = (held(&stack, &key, 30).await, held(&stack, &key, 5).await);
    let_expire(&stack, &forgotten).await;
    assert_refused(&settle(&stack, &forgotten, 12).await, 409, "HOLD_EXPIRED");
    // The index of due things may lag for a moment. Other tests may sweep, too.
    let released = until(async || {
        sweep(&stack).await;
        (numbers(&fixture).await == json!([45, 5, 0])).then_some(())
    });
    assert!(released.await.is_some(), "{}", fixture.wallet().await);
    join_all((0..3).map(|_| sweep(&stack))).await;
    assert_eq!(numbers(&fixture).await, json!([45, 5, 0]), "once");
    for late in [settle(&stack, &forgotten, 12).await, void(&stack, &forgotten, "provider_error").await] {
        assert_refused(&late, 409, "HOLD_EXPIRED");
    }
    assert_eq!(settle(&stack, &other, 5).await.status, 200);
    assert_eq!(numbers(&fixture).await, json!([45, 0, 5]));
}

#[tokio::test]
async fn of_a_concurrent_settlement_and_void_exactly_one_succeeds() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 60).await;
    let key = fixture.issue("production", &json!({})).await;
    let mut spent = 0;
    for reason in ["provider_error", "caller_error", "provider_error", "caller_error"] {
        let hold = held(&stack, &key, 10).await;
        let (settled, voided) = tokio::join!(settle(&stack, &hold, 4), void(&stack, &hold, reason));
        let (won, lost) = if settled.status == 200 { (&settled, &voided) } else { (&voided, &settled) };
        assert_eq!(won.status, 200, "{}", won.json());
        assert_refused(lost, 409, "HOLD_RESOLVED");
        spent += won.json()["data"]["used"].as_u64().unwrap();
    }
    assert_eq!(numbers(&fixture).await, json!([60 - spent, 0, spent]));
}

#[tokio::test]
async fn a_retry_after_a_lost_answer_opens_no_second_hold() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 50).await;
    let key = fixture.issue("production", &json!({})).await;
    let all = join_all((0..6).map(|_| ask(&stack, &key, 30, Some("job 17")))).await;
    let first = all[0].json()["data"].clone();
    assert!(all.iter().all(|answer| answer.status == 201 && answer.json()["data"] == first), "{all:?}");
    assert_refused(&ask(&stack, &key, 31, Some("job 17")).await, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!(numbers(&fixture).await, json!([20, 30, 0]));
    let changed = fixture.change("POST", &key, "/revoke", &json!({ "reason": "leaked" })).await;
    assert_eq!(changed.status, 200);
    let refused = ask(&stack, &key, 1, None).await;
    assert_refused(&refused, 403, "KEY_REFUSED");
    assert_eq!(refused.json()["error"]["details"]["code"], "REVOKED");
    assert_eq!(settle(&stack, &text(&first, "hold_id"), 30).await.status, 200, "the service has done the work");
    assert_eq!(numbers(&fixture).await, json!([20, 0, 30]));
}

#[tokio::test]
async fn refused_holds_name_the_reason() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 50).await;
    let (key, test) = (fixture.issue("production", &json!({})).await, fixture.issue("test", &json!({})).await);
    for (key, limiter) in [(&key, "wallet"), (&test, "test_wallet")] {
        let refused = ask(&stack, key, 101, None).await;
        assert_refused(&refused, 402, "INSUFFICIENT_CREDITS");
        assert_eq!(refused.json()["error"]["details"]["limiter"], limiter);
    }
    let above = ask(&stack, &key, 1_001, None).await;
    assert_field_refused(&above, 400, "INVALID_REQUEST", "amount");
    assert_eq!(above.json()["error"]["details"]["limit"], 1_000);
    let nobody = HeldKey { id: String::new(), text: "sk_live_nobody".to_owned() };
    assert_refused(&ask(&stack, &nobody, 1, None).await, 404, "NOT_FOUND");
    let unknown = HoldId::fresh(fixture.id(), clock::now()).to_string();
    assert_refused(&settle(&stack, &unknown, 1).await, 404, "NOT_FOUND");
    assert_refused(&void(&stack, "hold_17", "caller_error").await, 404, "NOT_FOUND");
    let hold = held(&stack, &test, 40).await;
    assert_eq!(void(&stack, &hold, "caller_error").await.json()["data"]["used"], 40);
    let wallet = fixture.wallet().await;
    assert_eq!((&wallet["balance"], &wallet["test"]["balance"]), (&json!(50), &json!(60)));
}

#[tokio::test]
async fn a_balance_below_zero_is_shown_and_refuses_keys() {
    let stack = Stack::find();
    let (table, fixture) = (stack.table(), OrgFixture::open(&stack, 0).await);
    let bought = accounts::purchase(fixture.id(), &fixture.org, 100, clock::now());
    assert_eq!(table.credit_purchase(&bought).await.unwrap(), PurchaseOutcome::Credited);
    let key = fixture.issue("production", &json!({})).await;
    let hold = held(&stack, &key, 80).await;
    let refund = accounts::refund(&fixture.org, 100, clock::now());
    assert_eq!(table.claw_back(&refund).await.unwrap(), ClawBackOutcome::Taken(100));
    assert_eq!(numbers(&fixture).await, json!([-80, 80, 0]));
    assert_refused(&ask(&stack, &key, 1, None).await, 402, "INSUFFICIENT_CREDITS");
    assert_eq!(fixture.charge(&key, None).await["code"], "INSUFFICIENT_CREDITS");
    assert_eq!(settle(&stack, &hold, 50).await.status, 200, "a hold must be settled even then");
    assert_eq!(numbers(&fixture).await, json!([-50, 0, 50]));
    let wallet = fixture.wallet().await;
    assert_eq!((&wallet["total_purchased"], &wallet["total_clawed_back"]), (&json!(100), &json!(100)));
}

#[tokio::test]
async fn an_organisation_is_alerted_below_each_threshold_and_again_after_a_top_up() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let listener = BusListener::on(&stack, "org_id", &fixture.org).await;
    fixture.grant_credits(50).await;
    let came = listener.wait_for("wallet.topped-up").await["detail"].clone();
    assert_eq!((&came["credits"], &came["kind"]), (&json!(50), &json!("promo")));
    let key = fixture.issue("production", &json!({})).await;
    let hold = held(&stack, &key, 39).await;
    assert_eq!(settle(&stack, &hold, 39).await.status, 200);
    fixture.charge(&key, None).await;
    let low = listener.wait_for("wallet.low").await["detail"].clone();
    let shown = (&low["percent"], &low["balance"], &low["reference"]);
    assert_eq!(shown, (&json!(20), &json!(10), &json!(50)));
    fixture.charge(&key, None).await;
    held(&stack, &key, 9).await;
    assert_eq!(listener.wait_for("wallet.low").await["detail"]["percent"], 0, "the next alert");
}
