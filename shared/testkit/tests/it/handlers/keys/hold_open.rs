//! hold-open: reserves credits for a job.

use consigne_core::credits::{TEST_CREDITS, WalletId};
use consigne_core::keys::{ApiKey, KeyMode, KeyStatus};
use consigne_core::rates::Window;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    KEY_ID, ORG, OTHER_SERVICE, acme, answer, audit_log, change_key, headed, in_days, key_in, org, outbox, put_key,
    put_production, receipts, refusal, sent_by_service, used, user, with,
};

const SECOND_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTX";

/// Opens the hold of the payload with some fields replaced.
async fn opened(world: &World, key: &str, fields: &Value) -> Value {
    functions::call(world, "hold-open", with(sent_by_service(key, "hold-open", "job"), fields)).await
}

/// Returns a wallet's balance and held credits.
fn wallet(world: &World, id: &WalletId) -> (i64, u64) {
    let wallet = world.state().accounts.wallets[id].clone();
    assert!(wallet.is_balanced(), "{wallet:?}");
    (wallet.balance, wallet.held)
}

fn live(world: &World) -> (i64, u64) {
    wallet(world, &WalletId::Organisation(org(ORG)))
}

#[tokio::test]
async fn a_hold_reserves_credits_and_counts_as_a_call() {
    let world = acme();
    let text = put_production(&world, |_| ());
    insta::assert_json_snapshot!(answer(&world, "hold-open", sent_by_service(&text, "hold-open", "job")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Credits held",
        "data": {
          "hold_id": "hold_<id>_<id>",
          "amount": 30,
          "expires_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!(live(&world), (970, 30));
    let hold = world.state().accounts.holds.into_values().next().unwrap();
    assert_eq!((hold.caller.as_str(), hold.service.as_str()), ("pdf-api", "pdf"));
    assert_eq!(hold.scope.as_deref(), Some("pdf:read"));
    assert_eq!(hold.expires_at.since(hold.opened_at).as_secs(), 600);
    assert_eq!(key_in(&world).daily_used(consigne_runtime::clock::now()), 1);
    assert_eq!(
        (receipts(&world), audit_log(&world), outbox(&world)),
        (vec![], json!([]), json!([])),
        "nothing must be spent yet"
    );
    let id = payload::event("hold-settle", "part", "")["pathParameters"]["id"].clone();
    assert_eq!(id, hold.id.to_string(), "other payloads have this id");
}

#[tokio::test]
async fn a_hold_lasts_an_hour_by_default() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let event = sent_by_service(&text, "hold-open", "default-ttl");
    assert_eq!(functions::call(&world, "hold-open", event).await["status"], 201);
    let hold = world.state().accounts.holds.into_values().next().unwrap();
    assert_eq!(hold.expires_at.since(hold.opened_at).as_secs(), 3_600);
}

#[tokio::test]
async fn a_retry_gets_the_same_hold() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let first = opened(&world, &text, &json!({})).await["body"]["data"].clone();
    functions::call(&world, "hold-settle", payload::event("hold-settle", "part", functions::SERVICE_TOKEN)).await;
    change_key(&world, |key| key.status = KeyStatus::Revoked);
    let before = world.state();
    assert_eq!(opened(&world, &text, &json!({})).await["body"]["data"], first);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_request_or_key_is_refused() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let second = put_key(&world, SECOND_KEY, KeyMode::Production, |_| ());
    opened(&world, &text, &json!({})).await;
    let before = world.state();
    for fields in [
        json!({ "amount": 31 }),
        json!({ "service": "ai" }),
        json!({ "scope": "pdf:write" }),
        json!({ "ttl_seconds": 601 }),
    ] {
        assert_eq!(refusal(&opened(&world, &text, &fields).await), (422, "IDEMPOTENCY_MISMATCH"), "{fields}");
    }
    assert_eq!(refusal(&opened(&world, &second, &json!({})).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
    let theirs =
        headed(sent_by_service(&text, "hold-open", "job"), "authorization", Some(&format!("Bearer {OTHER_SERVICE}")));
    let theirs = functions::call(&world, "hold-open", theirs).await;
    assert_eq!(theirs["status"], 201, "each service has its own idempotency keys");
    assert_eq!(live(&world), (940, 60));
}

/// What is wrong with a key.
type Change = fn(&mut ApiKey);

#[tokio::test]
async fn every_refused_key_has_a_status_and_the_code_of_a_check() {
    let mut answers = Vec::new();
    let changes: [(&str, Change); 6] = [
        ("revoked", |key| key.status = KeyStatus::Revoked),
        ("deleted", |key| key.status = KeyStatus::Deleted),
        ("expired", |key| key.expires_at = Some(in_days(-1))),
        ("minute quota", |key| {
            (key.minute_quota, key.minute) = (Some(3), Some(Window { started: clock::now(), count: 3 }));
        }),
        ("daily quota", |key| (key.daily_quota, key.used) = (Some(3), used(3))),
        ("monthly quota", |key| (key.monthly_quota, key.used) = (Some(3), used(3))),
    ];
    for (why, change) in changes {
        let world = acme();
        let text = put_production(&world, change);
        let before = world.state();
        answers.push(said(why, &opened(&world, &text, &json!({})).await));
        assert_eq!(world.state(), before, "{why}");
    }
    let world = acme();
    let text = put_production(&world, |_| ());
    answers.push(said("scope", &opened(&world, &text, &json!({ "scope": "ai:write" })).await));
    world.change(|state| state.accounts.wallets.values_mut().for_each(|wallet| wallet.debit(990)));
    answers.push(said("credits", &opened(&world, &text, &json!({ "amount": 11 })).await));
    world.change(|state| state.accounts.wallets.values_mut().for_each(|wallet| wallet.open = false));
    answers.push(said("suspended", &opened(&world, &text, &json!({})).await));
    answers.push(said("unknown", &opened(&world, &format!("{text}x"), &json!({})).await));
    insta::assert_json_snapshot!(answers, @r#"
    [
      "revoked: 403 KEY_REFUSED (code REVOKED, limiter key)",
      "deleted: 404 NOT_FOUND (code NOT_FOUND)",
      "expired: 403 KEY_REFUSED (code EXPIRED, limiter key)",
      "minute quota: 429 RATE_LIMITED (code MINUTE_QUOTA_EXCEEDED, limiter key, resets_at, Retry-After)",
      "daily quota: 429 RATE_LIMITED (code DAILY_QUOTA_EXCEEDED, limiter key, resets_at, Retry-After)",
      "monthly quota: 429 RATE_LIMITED (code MONTHLY_QUOTA_EXCEEDED, limiter key, resets_at, Retry-After)",
      "scope: 403 INSUFFICIENT_SCOPE (code INSUFFICIENT_SCOPE, limiter key)",
      "credits: 402 INSUFFICIENT_CREDITS (code INSUFFICIENT_CREDITS, limiter wallet)",
      "suspended: 403 KEY_REFUSED (code SUSPENDED, limiter organisation)",
      "unknown: 404 NOT_FOUND (code NOT_FOUND)"
    ]
    "#);
}

/// Summarises an answer on one line.
fn said(why: &str, answer: &Value) -> String {
    let (status, code) = refusal(answer);
    let details = &answer["body"]["error"]["details"];
    let named: Vec<String> = ["code", "limiter"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", details[*name].as_str()?)))
        .chain(details["resets_at"].is_string().then(|| "resets_at".to_owned()))
        .chain(answer["headers"]["retry-after"].is_string().then(|| "Retry-After".to_owned()))
        .collect();
    format!("{why}: {status} {code} ({})", named.join(", "))
}

#[tokio::test]
async fn a_test_key_holds_test_credits() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    assert_eq!(opened(&world, &text, &json!({})).await["status"], 201);
    let own = WalletId::Test(user("user_dev1"));
    assert_eq!((wallet(&world, &own), live(&world)), ((70, 30), (1_000, 0)));
    let event = headed(sent_by_service(&text, "hold-open", "job"), "idempotency-key", None);
    let refused = functions::call(&world, "hold-open", with(event, &json!({ "amount": TEST_CREDITS }))).await;
    assert_eq!(refusal(&refused), (402, "INSUFFICIENT_CREDITS"));
    let details = &refused["body"]["error"]["details"];
    assert_eq!(details["limiter"], "test_wallet");
    assert!(details["resets_at"].is_string(), "the wallet is refilled later");
}

#[tokio::test]
async fn a_test_key_whose_payer_left_holds_the_new_payers_credits() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    change_key(&world, |key| key.spender = Some(user("user_ann1")));
    assert_eq!(opened(&world, &text, &json!({})).await["status"], 201);
    assert_eq!(wallet(&world, &WalletId::Test(user("user_ann1"))), (70, 30));
    assert!(!world.state().accounts.wallets.contains_key(&WalletId::Test(user("user_dev1"))));
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_held() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let before = world.state();
    let mut outcomes = Vec::new();
    for (field, value) in [
        ("key", json!(null)),
        ("amount", json!(null)),
        ("amount", json!(0)),
        ("amount", json!(-1)),
        ("amount", json!(1.5)),
        ("amount", json!("30")),
        ("amount", json!(1_001)),
        ("service", json!(null)),
        ("service", json!("fax")),
        ("scope", json!("")),
        ("scope", json!("pdf read")),
        ("ttl_seconds", json!(59)),
        ("ttl_seconds", json!(86_401)),
        ("ttl_seconds", json!("600")),
        ("cost", json!(1)),
    ] {
        let answer = opened(&world, &text, &json!({ field: value })).await;
        let error = &answer["body"]["error"];
        assert_eq!(
            (refusal(&answer), &error["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!(field)),
            "{value}"
        );
        outcomes.push(format!("{field} {value}: {}", error["message"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "key null: key: invalid type: null, expected a string",
      "amount null: amount: invalid type: null, expected a whole number, 0 or greater",
      "amount 0: amount must be 1 to 1000",
      "amount -1: amount: invalid value: integer `-1`, expected a whole number, 0 or greater",
      "amount 1.5: amount: invalid type: number `1.5`, expected a whole number, 0 or greater",
      "amount \"30\": amount: invalid type: string \"30\", expected a whole number, 0 or greater",
      "amount 1001: amount must be 1 to 1000",
      "service null: service: invalid type: null, expected a string",
      "service \"fax\": unknown service `fax`; GET /api/services lists them",
      "scope \"\": scope must be 1 to 64 visible ASCII characters",
      "scope \"pdf read\": scope must be 1 to 64 visible ASCII characters",
      "ttl_seconds 59: ttl_seconds must be 60 to 86400",
      "ttl_seconds 86401: ttl_seconds must be 60 to 86400",
      "ttl_seconds \"600\": ttl_seconds: invalid type: string \"600\", expected a whole number, 0 or greater",
      "cost 1: unknown field cost"
    ]
    "#);
    let limit = opened(&world, &text, &json!({ "service": "ai", "amount": 10_001 })).await;
    assert_eq!(limit["body"]["error"]["details"]["limit"], 10_000, "each service has its own hold");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn only_services_hold_credits() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let person = format!("Bearer {}", functions::issuer().token("user_ann1", "pro"));
    for credential in [None, Some("Bearer nobody"), Some(person.as_str()), Some(&format!("Bearer {text}"))] {
        let event = headed(sent_by_service(&text, "hold-open", "job"), "authorization", credential);
        assert_eq!(refusal(&functions::call(&world, "hold-open", event).await), (401, "UNAUTHENTICATED"));
    }
    assert_eq!(live(&world), (1_000, 0));
}
