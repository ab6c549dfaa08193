//! webhook-stripe: refunds that fail at the buyer's bank, and events that are not acted on, whatever they look like.

use consigne_testkit::fakes::World;
use consigne_testkit::stripe::signed;
use serde_json::{Value, json};

use crate::handlers::people::accounts::audit_log;
use crate::handlers::people::webhook_stripe::{event, offered, send, send_payload, taken, wallet, with};

/// Creates an event of a type about Acme's refund, with a status.
fn of_refund(kind: &str, status: &str) -> Value {
    let mut changed = with(event("refund-failed"), |refund| refund["status"] = json!(status));
    changed["body"] = changed["body"].as_str().unwrap().replace("refund.failed", kind).into();
    signed(changed)
}

/// Creates a world in which Acme has bought 1,000 credits, and a quarter was refunded.
async fn refunded() -> World {
    let world = offered().await;
    send_payload(&world, "completed").await;
    send_payload(&world, "refunded").await;
    assert_eq!(wallet(&world), (750, 1_000, 250));
    world
}

#[tokio::test]
async fn a_refund_that_fails_gives_its_credits_back_once_whatever_event_reports_it() {
    for status in ["failed", "canceled"] {
        for kind in ["refund.failed", "refund.updated", "charge.refund.updated"] {
            let world = refunded().await;
            for kind in [kind, "refund.updated", "refund.failed", "charge.refund.updated", kind] {
                assert_eq!(send(&world, of_refund(kind, status)).await, taken(), "{kind} {status}");
                assert_eq!(wallet(&world), (1_000, 1_000, 0), "{kind} {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_failed_refund_is_in_the_audit_log() {
    let world = refunded().await;
    send_payload(&world, "refund-failed").await;
    let entry = audit_log(&world).as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("credits.given_back"), &json!("pi_3MtwBwLkdIwHu7ix28a3tqPa"))
    );
    assert_eq!(entry["details"], json!({ "credits": 250, "cause": "refund_failed", "source": "evt_refund_failed" }));
}

#[tokio::test]
async fn a_refund_that_has_not_failed_changes_nothing() {
    let world = refunded().await;
    let before = world.state();
    for status in ["pending", "requires_action", "succeeded"] {
        for kind in ["refund.updated", "charge.refund.updated"] {
            assert_eq!(send(&world, of_refund(kind, status)).await, taken(), "{kind} {status}");
        }
    }
    let elsewhere = with(event("refund-failed"), |refund| refund["payment_intent"] = Value::Null);
    assert_eq!(send(&world, signed(elsewhere)).await, taken());
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_second_refund_after_a_failed_one_claws_back_its_own_share() {
    let second = || {
        let mut later = with(event("refunded"), |charge| charge["amount_refunded"] = json!(400));
        let body = later["body"].as_str().unwrap().replace("1795257000", "1795600000");
        later["body"] = body.into();
        signed(later)
    };
    let failed = || signed(event("refund-failed"));
    for order in [[failed(), second()], [second(), failed()]] {
        let world = refunded().await;
        for event in order {
            assert_eq!(send(&world, event).await, taken());
        }
        assert_eq!(wallet(&world), (600, 1_000, 400));
    }
}

#[tokio::test]
async fn events_that_are_not_acted_on_are_accepted_whatever_they_look_like() {
    let world = offered().await;
    let before = world.state();
    let padding = "x".repeat(80_000);
    let thin = json!({ "id": "evt_test_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
        "created": "2026-11-21T10:30:00.000Z", "related_object": null, "context": null });
    let bodies = [
        thin.clone(),
        json!({ "id": "evt_1", "type": "invoice.created", "created": 1_795_257_000,
            "data": { "object": { "description": padding } } }),
        json!({ "id": "evt_1", "type": "account.updated", "created": null, "data": null }),
        json!({ "id": "evt_1", "type": "account.updated", "created": 1.5, "data": [1] }),
        json!({ "id": "evt_1", "type": "account.updated" }),
    ];
    for body in bodies {
        let mut odd = event("other-type");
        odd["body"] = body.to_string().into();
        assert_eq!(send(&world, signed(odd)).await, taken(), "{:.80}", body.to_string());
    }
    for mode in ["subscription", "payment"] {
        let without = with(event("completed"), |session| {
            session["payment_intent"] = Value::Null;
            session["mode"] = json!(mode);
        });
        assert_eq!(send(&world, signed(without)).await, taken(), "{mode}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_large_event_that_is_acted_on_is_processed() {
    let world = offered().await;
    let large = with(event("completed"), |session| session["description"] = json!("x".repeat(300_000)));
    assert_eq!(send(&world, signed(large)).await, taken());
    assert_eq!(wallet(&world), (1_000, 1_000, 0));
}
