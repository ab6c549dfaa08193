//! hold-settle, hold-void and sweep: each hold ends once.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::credits::{HOLD_MARGIN, Hold, REFUNDS_A_DAY, WalletId};
use consigne_core::keys::KeyStatus;
use consigne_core::periods::Day;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, OTHER_SERVICE, acme, answer, change_key, headed, key_id, org, put_production, receipts, refusal,
    sent_by, sent_by_service, with,
};

/// Creates a world with the hold of the payloads, for 30 credits.
async fn held() -> World {
    let world = acme();
    let text = put_production(&world, |_| ());
    let opened = functions::call(&world, "hold-open", sent_by_service(&text, "hold-open", "job")).await;
    assert_eq!(opened["status"], 201, "{opened}");
    world
}

fn payload_of(function: &str, case: &str) -> Value {
    payload::event(function, case, functions::SERVICE_TOKEN)
}

async fn settle(world: &World, fields: &Value) -> Value {
    functions::call(world, "hold-settle", with(payload_of("hold-settle", "part"), fields)).await
}

async fn void(world: &World, case: &str) -> Value {
    functions::call(world, "hold-void", payload_of("hold-void", case)).await
}

/// Returns Acme's balance, held and used credits.
fn wallet(world: &World) -> (i64, u64, u64) {
    let wallet = world.state().accounts.wallets[&WalletId::Organisation(org(ORG))].clone();
    assert!(wallet.is_balanced(), "{wallet:?}");
    (wallet.balance, wallet.held, wallet.used)
}

fn hold_in(world: &World) -> Hold {
    world.state().accounts.holds.into_values().next().unwrap()
}

/// Changes the hold so that it expired some time ago.
fn let_expire(world: &World, ago: Duration) {
    world.change(|state| {
        state.accounts.holds.values_mut().for_each(|hold| hold.expires_at = clock::now().minus(ago));
    });
}

async fn sweep_at(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("sweep", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "sweep", event).await.unwrap()
}

#[tokio::test]
async fn a_settlement_charges_its_part_releases_the_rest_and_is_logged() {
    let world = held().await;
    insta::assert_json_snapshot!(answer(&world, "hold-settle", payload_of("hold-settle", "part")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Hold settled",
        "data": {
          "hold_id": "hold_<id>_<id>",
          "status": "settled",
          "reason": null,
          "amount": 30,
          "used": 12,
          "released": 18,
          "receipt_id": "rcpt_<id>_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!(wallet(&world), (988, 0, 12));
    insta::assert_json_snapshot!(answer(&world, "usage-log", sent_by("user_bill1", "usage-log", "all")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Usage listed",
        "data": [
          {
            "receipt_id": "rcpt_<id>_<id>",
            "key_id": "key_<id>",
            "environment": "production",
            "service": "pdf",
            "endpoint": null,
            "method": null,
            "status_code": 200,
            "response_ms": 48213,
            "credits": 12,
            "ip": null,
            "country": null,
            "user_agent": null,
            "details": {},
            "timestamp": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 1
        }
      }
    }
    "#);
    let key = accounts::key_in(&world);
    assert_eq!(key.daily_used(clock::now()), 1, "the opening was counted as the call");
}

#[tokio::test]
async fn a_void_for_a_provider_error_charges_nothing() {
    let world = held().await;
    insta::assert_json_snapshot!(answer(&world, "hold-void", payload_of("hold-void", "provider")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Hold voided",
        "data": {
          "hold_id": "hold_<id>_<id>",
          "status": "voided",
          "reason": "provider_error",
          "amount": 30,
          "used": 0,
          "released": 30,
          "receipt_id": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!((wallet(&world), receipts(&world)), ((1_000, 0, 0), vec![]));
}

#[tokio::test]
async fn a_void_for_a_caller_error_charges_the_whole_hold() {
    let world = held().await;
    insta::assert_json_snapshot!(answer(&world, "hold-void", payload_of("hold-void", "caller")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Hold voided",
        "data": {
          "hold_id": "hold_<id>_<id>",
          "status": "voided",
          "reason": "caller_error",
          "amount": 30,
          "used": 30,
          "released": 0,
          "receipt_id": "rcpt_<id>_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!(wallet(&world), (970, 0, 30));
    let receipt = receipts(&world).remove(0);
    assert_eq!((receipt.credits, receipt.outcome), (30, None));
    // The outcome of the call can still be reported, as for any receipt.
    let mut event = payload::event("receipt-outcome", "served", functions::SERVICE_TOKEN);
    event["pathParameters"]["id"] = receipt.id.to_string().into();
    assert_eq!(functions::call(&world, "receipt-outcome", event).await["status"], 200);
}

#[tokio::test]
async fn a_repeated_end_gets_the_same_answer_and_another_end_is_refused() {
    let world = held().await;
    let first = settle(&world, &json!({})).await["body"]["data"].clone();
    let before = world.state();
    assert_eq!(settle(&world, &json!({})).await["body"]["data"], first);
    let without_key = headed(payload_of("hold-settle", "part"), "idempotency-key", None);
    assert_eq!(functions::call(&world, "hold-settle", without_key.clone()).await["body"]["data"], first);
    for fields in [json!({ "amount": 13 }), json!({ "amount": 31 }), json!({ "response_ms": 1 })] {
        assert_eq!(refusal(&settle(&world, &fields).await), (422, "IDEMPOTENCY_MISMATCH"), "{fields}");
        let other = functions::call(&world, "hold-settle", with(without_key.clone(), &fields)).await;
        assert_eq!(refusal(&other), (409, "HOLD_RESOLVED"), "{fields}");
    }
    insta::assert_json_snapshot!(answer(&world, "hold-void", payload_of("hold-void", "caller")).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "HOLD_RESOLVED",
          "message": "hold is already settled; its end cannot be changed",
          "details": {
            "status": "settled"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_settlement_above_the_hold_is_refused() {
    let world = held().await;
    let before = world.state();
    let event = with(payload_of("hold-settle", "part"), &json!({ "amount": 31 }));
    insta::assert_json_snapshot!(answer(&world, "hold-settle", event).await, @r#"
    {
      "status": 422,
      "body": {
        "success": false,
        "error": {
          "code": "HOLD_EXCEEDED",
          "message": "amount exceeds the 30 credits held",
          "details": {
            "field": "amount",
            "limit": 30
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
    assert_eq!(settle(&world, &json!({ "amount": 30 })).await["status"], 200);
    assert_eq!(wallet(&world), (970, 0, 30));
}

#[tokio::test]
async fn a_hold_can_be_settled_for_nothing() {
    let world = held().await;
    assert_eq!(settle(&world, &json!({ "amount": 0 })).await["body"]["data"]["released"], 30);
    assert_eq!((wallet(&world), receipts(&world)[0].credits), ((1_000, 0, 0), 0));
}

#[tokio::test]
async fn a_hold_of_a_revoked_key_can_be_settled() {
    let world = held().await;
    change_key(&world, |key| key.status = KeyStatus::Revoked);
    assert_eq!(settle(&world, &json!({})).await["status"], 200);
    assert_eq!(wallet(&world), (988, 0, 12));
}

#[tokio::test]
async fn another_services_hold_looks_nonexistent() {
    let world = held().await;
    let before = world.state();
    let theirs = headed(payload_of("hold-settle", "part"), "authorization", Some(&format!("Bearer {OTHER_SERVICE}")));
    let theirs = answer(&world, "hold-settle", theirs).await;
    let id = payload_of("hold-settle", "part")["pathParameters"]["id"].as_str().unwrap().to_owned();
    let unknown = id.replace("MA8T0", "MA8T1");
    assert_ne!(unknown, id);
    let lower = id.to_lowercase();
    for id in [unknown.as_str(), lower.as_str(), &id[..id.len() - 1], "hold_", "", "17"] {
        let mut event = payload_of("hold-settle", "part");
        event["pathParameters"]["id"] = id.into();
        assert_eq!(answer(&world, "hold-settle", event).await, theirs, "{id}");
        let mut event = payload_of("hold-void", "provider");
        event["pathParameters"]["id"] = id.into();
        assert_eq!(answer(&world, "hold-void", event).await, theirs, "{id}");
    }
    assert_eq!(world.state(), before);
    insta::assert_json_snapshot!(theirs, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Hold not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn refunds_are_limited_per_key_and_day() {
    let world = held().await;
    let place = (org(ORG), key_id(KEY_ID), Day::of(clock::now()));
    world.change(|state| {
        state.accounts.refunds.insert(place, REFUNDS_A_DAY);
    });
    let voided = void(&world, "provider").await;
    let data = &voided["body"]["data"];
    assert_eq!(
        (&voided["status"], &data["status"], &data["reason"]),
        (&json!(200), &json!("voided"), &json!("refunds_spent"))
    );
    assert_eq!((&data["used"], &data["released"]), (&json!(30), &json!(0)));
    assert_eq!((wallet(&world), receipts(&world)[0].credits), ((970, 0, 30), 30));
    let before = world.state();
    assert_eq!(void(&world, "provider").await["body"]["data"], *data, "a retry");
    assert_eq!(world.state(), before);
    // The hold has ended, so `sweep` cannot refund it in spite of the limit.
    let_expire(&world, Duration::from_hours(1));
    assert_eq!(sweep_at(&world, clock::now()).await["released"], 0);
    assert_eq!((wallet(&world), world.state().accounts.refunds[&place]), ((970, 0, 30), REFUNDS_A_DAY));
}

#[tokio::test]
async fn an_expired_hold_cannot_be_settled_and_is_released_once() {
    let world = held().await;
    let_expire(&world, Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(refusal(&settle(&world, &json!({})).await), (409, "HOLD_EXPIRED"));
        assert_eq!(refusal(&void(&world, "caller").await), (409, "HOLD_EXPIRED"));
        let due = hold_in(&world).expires_at.plus(HOLD_MARGIN);
        let early = sweep_at(&world, due.minus(Duration::from_secs(1))).await;
        let before = wallet(&world);
        let done = sweep_at(&world, due.plus(Duration::from_secs(1))).await;
        let released = u64::from(before.1 > 0);
        assert_eq!((&early["released"], &done["released"]), (&json!(0), &json!(released)));
        assert_eq!(wallet(&world), (1_000, 0, 0));
    }
    assert_eq!(receipts(&world), vec![]);
}

#[tokio::test]
async fn sweep_ignores_settled_holds() {
    let world = held().await;
    settle(&world, &json!({})).await;
    let_expire(&world, Duration::from_hours(1));
    assert_eq!(sweep_at(&world, clock::now()).await["released"], 0);
    assert_eq!(wallet(&world), (988, 0, 12));
}

#[tokio::test]
async fn every_invalid_field_is_named_and_the_hold_stays_open() {
    let world = held().await;
    let before = world.state();
    let mut outcomes = Vec::new();
    for (function, field, value) in [
        ("hold-settle", "amount", json!(null)),
        ("hold-settle", "amount", json!(-1)),
        ("hold-settle", "amount", json!("12")),
        ("hold-settle", "status_code", json!(null)),
        ("hold-settle", "status_code", json!(99)),
        ("hold-settle", "response_ms", json!(86_400_001)),
        ("hold-settle", "reason", json!("done")),
        ("hold-void", "reason", json!(null)),
        ("hold-void", "reason", json!("bad_luck")),
        ("hold-void", "amount", json!(1)),
    ] {
        let case = if function == "hold-settle" { "part" } else { "provider" };
        let answer =
            functions::call(&world, function, with(payload_of(function, case), &json!({ field: value }))).await;
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
      "amount null: amount: invalid type: null, expected a whole number, 0 or greater",
      "amount -1: amount: invalid value: integer `-1`, expected a whole number, 0 or greater",
      "amount \"12\": amount: invalid type: string \"12\", expected a whole number, 0 or greater",
      "status_code null: status_code: invalid type: null, expected a whole number, 0 or greater",
      "status_code 99: status_code must be 100 to 599",
      "response_ms 86400001: response_ms must be at most 86400000 (a day)",
      "reason \"done\": unknown field reason",
      "reason null: reason: expected value",
      "reason \"bad_luck\": reason: unknown variant `bad_luck`, expected `provider_error` or `caller_error`",
      "amount 1: unknown field amount"
    ]
    "#);
    assert_eq!(world.state(), before);
}
