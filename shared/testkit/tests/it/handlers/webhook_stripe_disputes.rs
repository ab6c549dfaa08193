//! What disputes and refunds of a payment take back, give back and are told as, in whatever order Stripe tells of them.

use consigne_testkit::stripe::signed;
use serde_json::{Value, json};

use super::accounts::outbox;
use super::webhook_stripe::{event, offered, send, taken, tell, wallet, with};

#[tokio::test]
async fn a_dispute_takes_back_what_it_disputes_and_says_so() {
    let world = offered().await;
    tell(&world, "completed").await;
    tell(&world, "dispute-created").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    let told = outbox(&world);
    insta::assert_json_snapshot!(told[1], @r#"
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
    assert_eq!(told[2]["kind"], "wallet.low");
    tell(&world, "dispute-lost").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    assert_eq!(outbox(&world).as_array().unwrap().len(), 3, "nothing new");
}

#[tokio::test]
async fn a_refund_and_a_dispute_that_is_won_say_what_they_moved_and_what_is_left() {
    let world = offered().await;
    for case in ["completed", "refunded", "dispute-created", "dispute-won"] {
        tell(&world, case).await;
    }
    let told = outbox(&world);
    let told: Vec<Value> =
        told.as_array().unwrap().iter().filter(|event| event["detail"]["payment_id"].is_string()).cloned().collect();
    let facts = told.iter().map(|event| {
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
async fn a_refund_told_of_before_its_purchase_is_told_once_that_comes() {
    let world = offered().await;
    tell(&world, "refunded").await;
    assert_eq!(outbox(&world), json!([]));
    tell(&world, "completed").await;
    let kinds: Vec<Value> = outbox(&world).as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["wallet.topped-up", "payment.refunded"]);
}

#[tokio::test]
async fn a_dispute_told_of_before_its_purchase_is_told_once_that_comes() {
    let world = offered().await;
    tell(&world, "dispute-created").await;
    assert_eq!(outbox(&world), json!([]));
    tell(&world, "completed").await;
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
    let kinds: Vec<Value> = outbox(&world).as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["wallet.topped-up", "payment.disputed", "wallet.low"]);
}

#[tokio::test]
async fn money_that_is_withdrawn_takes_credits_back_and_money_that_returns_gives_them_back() {
    let world = offered().await;
    tell(&world, "completed").await;
    for (kind, status, balance) in [
        ("charge.dispute.funds_withdrawn", "needs_response", 0),
        ("charge.dispute.funds_withdrawn", "under_review", 0),
        ("charge.dispute.funds_reinstated", "won", 1_000),
        ("charge.dispute.closed", "won", 1_000),
    ] {
        let mut told = with(event("dispute-created"), |dispute| dispute["status"] = json!(status));
        told["body"] = told["body"].as_str().unwrap().replace("charge.dispute.created", kind).into();
        assert_eq!(send(&world, signed(told)).await, taken());
        assert_eq!(wallet(&world).0, balance, "{kind} {status}");
    }
}

/// Makes an event of Acme's dispute, of a type and a status.
pub fn of_dispute(kind: &str, status: &str) -> Value {
    let mut told = with(event("dispute-created"), |dispute| dispute["status"] = json!(status));
    told["body"] = told["body"].as_str().unwrap().replace("charge.dispute.created", kind).into();
    signed(told)
}

#[tokio::test]
async fn a_dispute_that_is_lost_is_lost_whatever_comes_first_and_whatever_money_returns() {
    let closed = ("charge.dispute.closed", "lost");
    for other in [
        // The part that was refunded before.
        ("charge.dispute.funds_reinstated", "lost"),
        ("charge.dispute.funds_reinstated", "under_review"),
        ("charge.dispute.created", "needs_response"),
        // An inquiry that was closed, and became a dispute after all.
        ("charge.dispute.closed", "warning_closed"),
    ] {
        for order in [[closed, other], [other, closed]] {
            let world = offered().await;
            tell(&world, "completed").await;
            for (kind, status) in order {
                assert_eq!(send(&world, of_dispute(kind, status)).await, taken());
            }
            assert_eq!(wallet(&world), (0, 1_000, 1_000), "{order:?}");
        }
    }
}

#[tokio::test]
async fn a_dispute_in_whose_place_there_was_a_refund_takes_nothing_beside_it() {
    let quarter = || signed(event("refunded"));
    for status in ["prevented", "charge_refunded"] {
        let opened = || of_dispute("charge.dispute.created", "needs_response");
        let closed = || of_dispute("charge.dispute.closed", status);
        for order in [[opened(), closed(), quarter()], [quarter(), closed(), opened()]] {
            let world = offered().await;
            tell(&world, "completed").await;
            for told in order {
                assert_eq!(send(&world, told).await, taken());
            }
            assert_eq!(wallet(&world), (750, 1_000, 250), "{status}");
        }
        let world = offered().await;
        tell(&world, "completed").await;
        assert_eq!(send(&world, of_dispute("charge.dispute.created", status)).await, taken());
        assert_eq!(wallet(&world), (1_000, 1_000, 0), "{status}");
    }
}

#[tokio::test]
async fn a_dispute_of_a_status_nobody_knows_changes_nothing_until_money_moves() {
    let world = offered().await;
    tell(&world, "completed").await;
    let before = world.state();
    for kind in ["charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_reinstated"] {
        assert_eq!(send(&world, of_dispute(kind, "new_status")).await, taken(), "{kind}");
        assert_eq!(world.state(), before, "{kind}");
    }
    assert_eq!(send(&world, of_dispute("charge.dispute.funds_withdrawn", "new_status")).await, taken());
    assert_eq!(wallet(&world), (0, 1_000, 1_000));
}
