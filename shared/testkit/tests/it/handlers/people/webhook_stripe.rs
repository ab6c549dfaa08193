//! webhook-stripe: Stripe's events, also late, repeated, out of order and invalid.

use std::time::Duration;

use consigne_core::credits::WalletId;
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::stripe::{self, signed, signed_at};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{ORG, OTHER_ORG, PEOPLE, audit_log, found, org, outbox, sent_by};
use crate::handlers::people::webhook_stripe_disputes::of_dispute;

/// The payloads that change something. All are about one purchase.
const FACTS: [&str; 6] = ["completed", "paid-later", "refunded", "refund-failed", "dispute-created", "dispute-won"];

pub fn event(case: &str) -> Value {
    payload::event("webhook-stripe", case, "")
}

/// Sends an event. Returns the answer.
pub async fn send(world: &World, event: Value) -> Value {
    payload::steady(&functions::call(world, "webhook-stripe", event).await)
}

/// Sends a payload, which must be accepted.
pub async fn send_payload(world: &World, case: &str) {
    assert_eq!(send(world, signed(event(case))).await, taken(), "{case}");
}

pub fn taken() -> Value {
    json!({ "status": 200, "body": { "success": true } })
}

/// Creates a world in which Bill of Acme has opened a checkout for a starter pack. Acme has no credits.
pub async fn offered() -> World {
    let world = World::default();
    found(&world, ORG, "Acme", &PEOPLE);
    let opened = functions::call(&world, "checkout", sent_by("user_bill1", "checkout", "starter")).await;
    assert_eq!(opened["status"], 201, "{opened}");
    world
}

/// Changes the object of an event.
pub fn with(mut event: Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    change(&mut body["data"]["object"]);
    event["body"] = body.to_string().into();
    event
}

/// Returns Acme's balance, and the credits purchased and clawed back.
pub fn wallet(world: &World) -> (i64, u64, u64) {
    let wallet = world.state().accounts.wallets[&WalletId::Organisation(org(ORG))].clone();
    assert!(wallet.is_balanced(), "{wallet:?}");
    (wallet.balance, wallet.purchased, wallet.clawed_back)
}

#[tokio::test]
async fn a_paid_checkout_is_credited_and_published() {
    let world = offered().await;
    send_payload(&world, "completed").await;
    assert_eq!(wallet(&world), (1_000, 1_000, 0));
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "credits.purchased",
        "subject": "cs_test_1",
        "actor": "service:stripe",
        "ip": "203.0.113.9",
        "details": {
          "credits": 1000,
          "pack": "starter",
          "amount_cents": 1000,
          "currency": "EUR",
          "payment": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
          "asked_by": "user_bill1",
          "source": "evt_completed"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "wallet.topped-up",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "lot_id": "lot_<id>",
          "kind": "paid",
          "credits": 1000
        }
      }
    ]
    "#);
}

#[tokio::test]
async fn a_repeated_event_or_fact_changes_nothing() {
    for case in FACTS {
        let world = offered().await;
        send_payload(&world, "completed").await;
        send_payload(&world, case).await;
        let idempotent = world.state();
        for _ in 0..3 {
            send_payload(&world, case).await;
        }
        send_payload(&world, "paid-later").await;
        assert_eq!(world.state(), idempotent, "{case}");
    }
}

/// Returns all permutations.
fn orders(of: &[&'static str]) -> Vec<Vec<&'static str>> {
    if of.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |at: usize| {
        let rest = [&of[..at], &of[at + 1..]].concat();
        orders(&rest).into_iter().map(move |order| [vec![of[at]], order].concat())
    };
    (0..of.len()).flat_map(with_first).collect()
}

#[tokio::test]
async fn repeated_events_in_any_order_give_the_same_credits() {
    for order in orders(&FACTS) {
        let world = offered().await;
        for case in order.iter().chain(&order).chain(&order) {
            send_payload(&world, case).await;
        }
        // The refund of a quarter has failed, and the dispute is won.
        assert_eq!(wallet(&world), (1_000, 1_000, 0), "{order:?}");
        let bought =
            world.state().accounts.audit.iter().filter(|entry| entry.action.name() == "credits.purchased").count();
        assert_eq!(bought, 1, "{order:?}");
    }
}

#[tokio::test]
async fn events_that_move_no_money_change_nothing() {
    let world = offered().await;
    for case in ["completed-unpaid", "expired", "dispute-inquiry", "other-type"] {
        let before = world.state();
        send_payload(&world, case).await;
        assert_eq!(world.state(), before, "{case}");
    }
    send_payload(&world, "completed").await;
    send_payload(&world, "dispute-inquiry").await;
    assert_eq!(wallet(&world), (1_000, 1_000, 0), "an inquiry must not change the balance");
    let closed = |status: &str| signed(with(event("dispute-won"), |dispute| dispute["status"] = json!(status)));
    assert_eq!(send(&world, closed("warning_closed")).await, taken());
    assert_eq!(wallet(&world), (1_000, 1_000, 0));
}

#[tokio::test]
async fn signed_events_that_fail_are_counted() {
    let world = offered().await;
    let failed = async |event: Value| functions::stripe_notes(&world, event).await["PaymentsFailed"].clone();
    let mut broken = event("completed");
    broken["body"] = "{".into();
    let odd = with(event("refunded"), |charge| charge["amount_refunded"] = Value::Null);
    for bad in [signed(broken), signed(odd), of_dispute("charge.dispute.closed", "new_status")] {
        assert_eq!(failed(bad.clone()).await, 1, "{bad}");
    }
    world.fail_at(0, Moment::Before);
    assert_eq!(failed(signed(event("completed"))).await, 1);
    for good in [event("completed"), event("other-type"), event("dispute-inquiry"), event("refunded")] {
        assert_eq!(failed(signed(good.clone())).await, Value::Null, "{good}");
    }
    assert_eq!(failed(event("completed")).await, Value::Null, "unsigned requests must not be counted");
}

#[tokio::test]
async fn a_session_not_opened_here_or_not_paid_as_offered_is_refused_and_recorded() {
    type Change = fn(&mut Value);
    let bad: [(&str, Change); 9] = [
        ("it was not opened here", |session| session["id"] = json!("cs_test_2")),
        ("it was not opened here", |session| session["client_reference_id"] = json!(OTHER_ORG)),
        ("amount_total", |session| session["amount_total"] = json!(1)),
        ("amount_total", |session| session["amount_total"] = json!(0)),
        ("currency", |session| session["currency"] = json!("jpy")),
        ("metadata", |session| session["metadata"]["credits"] = json!("1000000")),
        ("metadata", |session| session["metadata"]["pack"] = json!("scale")),
        ("metadata", |session| session["metadata"]["org_id"] = json!(OTHER_ORG)),
        ("metadata", |session| drop(session.as_object_mut().unwrap().remove("metadata"))),
    ];
    for (why, change) in bad {
        let world = offered().await;
        found(&world, OTHER_ORG, "Other", &PEOPLE[..1]);
        for _ in 0..3 {
            assert_eq!(send(&world, signed(with(event("completed"), change))).await, taken(), "{why}");
        }
        let state = world.state();
        assert_eq!((wallet(&world), state.outbox.len()), ((0, 0, 0), 0), "{why}");
        let audit_log: Vec<_> =
            state.accounts.audit.iter().map(|entry| (entry.action.name(), &entry.details["field"])).collect();
        assert_eq!(audit_log, [("webhook.refused", &json!(why))], "once");
        let of = state.accounts.audit[0].org;
        assert_eq!(of.is_some(), !why.contains("opened"), "no organisation if the session was not opened here");
        // The original offer can still be paid.
        send_payload(&world, "completed").await;
        assert_eq!(wallet(&world), (1_000, 1_000, 0), "{why}");
    }
}

#[tokio::test]
async fn sales_of_other_products_in_the_account_are_ignored() {
    for named in [json!(null), json!("order-17"), json!(17)] {
        let world = offered().await;
        let before = world.state();
        let elsewhere = with(event("completed"), |session| session["client_reference_id"] = named.clone());
        assert_eq!(send(&world, signed(elsewhere)).await, taken());
        for case in ["refunded", "dispute-created"] {
            let old = signed(with(event(case), |object| object["payment_intent"] = Value::Null));
            assert_eq!(send(&world, old).await, taken());
        }
        assert_eq!(world.state(), before, "{named}");
    }
}

#[tokio::test]
async fn events_without_a_valid_signature_get_the_same_refusal_and_are_not_read() {
    let world = offered().await;
    let before = world.state();
    insta::assert_json_snapshot!(send(&world, event("completed")).await, @r#"
    {
      "status": 401,
      "headers": {
        "www-authenticate": "StripeSignature"
      },
      "body": {
        "success": false,
        "error": {
          "code": "INVALID_SIGNATURE",
          "message": "The webhook's signature is not valid"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    let refused = send(&world, event("completed")).await;
    let now = clock::now();
    let good = signed(event("completed"));
    let mut respaced = good.clone();
    respaced["body"] = respaced["body"].as_str().unwrap().replace(": ", ":").into();
    let mut test_scheme = good.clone();
    let header = test_scheme["headers"]["stripe-signature"].as_str().unwrap().replace("v1=", "v0=");
    test_scheme["headers"]["stripe-signature"] = header.into();
    let mut broken = event("completed");
    broken["body"] = "{".into();
    for bad in [
        respaced,
        test_scheme,
        broken,
        signed_at(event("completed"), "whsec_b7Qw2eR5tY8uI1oP4aS6dF9gH3jK0lZx", now),
        signed_at(event("completed"), stripe::SECRET, now.minus(Duration::from_mins(6))),
        signed_at(event("completed"), stripe::SECRET, now.plus(Duration::from_mins(6))),
        consigne_testkit::webhooks::signed(event("completed"), "evt_1"),
    ] {
        assert_eq!(send(&world, bad).await, refused);
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_signed_event_of_the_wrong_shape_is_refused_by_field() {
    let world = offered().await;
    let before = world.state();
    let cases: [(&str, &str, Value); 12] = [
        ("completed", "id", json!("cs/1")),
        ("completed", "payment_intent", json!({ "id": "pi_1" })),
        ("completed", "amount_total", json!("1000")),
        ("completed", "amount_total", json!(-1)),
        ("completed", "payment_status", json!(null)),
        ("refunded", "amount_refunded", json!(null)),
        ("refunded", "payment_intent", json!("pi 1")),
        ("refund-failed", "id", json!("re/1")),
        ("refund-failed", "amount", json!(null)),
        ("refund-failed", "created", json!("yesterday")),
        ("dispute-created", "id", json!(7)),
        ("dispute-won", "status", json!(null)),
    ];
    for (case, field, value) in cases {
        let odd = signed(with(event(case), |object| object[field] = value.clone()));
        let refused = send(&world, odd).await;
        assert_eq!(refused["status"], 400, "{case} {field} {value}: {refused}");
        assert_eq!(refused["body"]["error"]["details"]["field"], format!("data.object.{field}"));
    }
    for body in ["{", "[]", "", r#"{"id": "evt_1"}"#, r#"{"id": "evt_1", "type": "charge.refunded", "data": {}}"#] {
        let mut odd = event("completed");
        odd["body"] = body.into();
        assert_eq!(send(&world, signed(odd)).await["status"], 400, "{body}");
    }
    assert_eq!(world.state(), before);
}
