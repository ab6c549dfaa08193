//! webhook-stripe: claw-backs, returned credits and events of disputes and refunds, in any order of Stripe's events.

use consigne_testkit::stripe::signed;
use serde_json::{Value, json};

use crate::handlers::people::accounts::outbox;
use crate::handlers::people::webhook_stripe::{event, offered, send, send_payload, taken, wallet, with};

#[tokio::test]
async fn a_dispute_claws_back_its_amount_and_is_published() {
    let world = offered().await;
    send_payload(&world, "completed").await;
    send_payload(&world, "dispute-created").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    let events = outbox(&world);
    insta::assert_json_snapshot!(events[1], @r#"
    {
      "kind": "payment.disputed",
      "detail": {
        "event_id": "<id>",
        "occurred_at": "<time>",
        "org_id": "org_<id>",
        "payment_id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
        "amount_cents": 1000,
        "currency": "EUR",
        "credits": 1000,
        "balance": 0
      }
    }
    "#);
    assert_eq!(events[2]["kind"], "wallet.low");
    send_payload(&world, "dispute-lost").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    assert_eq!(outbox(&world).as_array().unwrap().len(), 3, "nothing new");
}

#[tokio::test]
async fn refunds_and_won_disputes_publish_their_amounts_and_the_balance() {
    let world = offered().await;
    for case in ["completed", "refunded", "dispute-created", "dispute-won"] {
        send_payload(&world, case).await;
    }
    let events = outbox(&world);
    let events: Vec<Value> =
        events.as_array().unwrap().iter().filter(|event| event["detail"]["payment_id"].is_string()).cloned().collect();
    let facts = events.iter().map(|event| {
        let detail = &event["detail"];
        json!([event["kind"], detail["amount_cents"], detail["credits"], detail["balance"]])
    });
    let want = [
        json!(["payment.refunded", 250, 250, 750]),
        json!(["payment.disputed", 1_000, 750, 0]),
        json!(["payment.dispute-won", 1_000, 750, 750]),
    ];
    assert_eq!(facts.collect::<Vec<_>>(), want);
}

#[tokio::test]
async fn a_refund_before_its_purchase_is_published_after_it() {
    let world = offered().await;
    send_payload(&world, "refunded").await;
    assert_eq!(outbox(&world), json!([]));
    send_payload(&world, "completed").await;
    let kinds: Vec<Value> = outbox(&world).as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["wallet.topped-up", "payment.refunded"]);
}

#[tokio::test]
async fn a_dispute_before_its_purchase_is_published_after_it() {
    let world = offered().await;
    send_payload(&world, "dispute-created").await;
    assert_eq!(outbox(&world), json!([]));
    send_payload(&world, "completed").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    let kinds: Vec<Value> = outbox(&world).as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["wallet.topped-up", "payment.disputed", "wallet.low"]);
}

#[tokio::test]
async fn withdrawn_funds_claw_back_credits_and_reinstated_funds_return_them() {
    let world = offered().await;
    send_payload(&world, "completed").await;
    for (kind, status, balance) in [
        ("charge.dispute.funds_withdrawn", "needs_response", 0),
        ("charge.dispute.funds_withdrawn", "under_review", 0),
        ("charge.dispute.funds_reinstated", "won", 1_000),
        ("charge.dispute.closed", "won", 1_000),
    ] {
        let mut changed = with(event("dispute-created"), |dispute| dispute["status"] = json!(status));
        changed["body"] = changed["body"].as_str().unwrap().replace("charge.dispute.created", kind).into();
        assert_eq!(send(&world, signed(changed)).await, taken());
        assert_eq!(wallet(&world).0, balance, "{kind} {status}");
    }
}

/// Creates an event about Acme's dispute, with a type and a status.
pub fn of_dispute(kind: &str, status: &str) -> Value {
    let mut changed = with(event("dispute-created"), |dispute| dispute["status"] = json!(status));
    changed["body"] = changed["body"].as_str().unwrap().replace("charge.dispute.created", kind).into();
    signed(changed)
}

#[tokio::test]
async fn a_lost_dispute_is_final_in_any_order_of_events() {
    let closed = ("charge.dispute.closed", "lost");
    for other in [
        // The part that was refunded before.
        ("charge.dispute.funds_reinstated", "lost"),
        ("charge.dispute.funds_reinstated", "under_review"),
        ("charge.dispute.created", "needs_response"),
        // A closed inquiry that became a dispute later.
        ("charge.dispute.closed", "warning_closed"),
    ] {
        for order in [[closed, other], [other, closed]] {
            let world = offered().await;
            send_payload(&world, "completed").await;
            for (kind, status) in order {
                assert_eq!(send(&world, of_dispute(kind, status)).await, taken());
            }
            assert_eq!(wallet(&world), (0, 1_000, 1_000), "{order:?}");
        }
    }
}

#[tokio::test]
async fn a_dispute_replaced_by_a_refund_claws_back_nothing_more() {
    let quarter = || signed(event("refunded"));
    for status in ["prevented", "charge_refunded"] {
        let opened = || of_dispute("charge.dispute.created", "needs_response");
        let closed = || of_dispute("charge.dispute.closed", status);
        for order in [[opened(), closed(), quarter()], [quarter(), closed(), opened()]] {
            let world = offered().await;
            send_payload(&world, "completed").await;
            for event in order {
                assert_eq!(send(&world, event).await, taken());
            }
            assert_eq!(wallet(&world), (750, 1_000, 250), "{status}");
        }
        let world = offered().await;
        send_payload(&world, "completed").await;
        assert_eq!(send(&world, of_dispute("charge.dispute.created", status)).await, taken());
        assert_eq!(wallet(&world), (1_000, 1_000, 0), "{status}");
    }
}

#[tokio::test]
async fn a_dispute_with_an_unknown_status_changes_nothing_until_funds_move() {
    let world = offered().await;
    send_payload(&world, "completed").await;
    let before = world.state();
    for kind in ["charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_reinstated"] {
        assert_eq!(send(&world, of_dispute(kind, "new_status")).await, taken(), "{kind}");
        assert_eq!(world.state(), before, "{kind}");
    }
    assert_eq!(send(&world, of_dispute("charge.dispute.funds_withdrawn", "new_status")).await, taken());
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
}
