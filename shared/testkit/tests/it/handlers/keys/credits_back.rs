//! wallet and key-verify after a claw-back: a balance may be below zero, and open holds stay open.

use consigne_core::ports::{ClawBackCredits, CreditPurchase};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{accounts, functions};
use serde_json::json;

use crate::handlers::people::accounts::{
    ORG, PEOPLE, answer, audit_log, found, org, outbox, put_production, sent_by, sent_by_service, verified,
};

/// Creates a world in which Acme bought 100 credits, holds 30, spent 60, and was refunded in full.
async fn refunded() -> (World, String) {
    let world = World::default();
    found(&world, ORG, "Acme", &PEOPLE);
    let text = put_production(&world, |_| ());
    world.credit_purchase(&accounts::purchase(org(ORG), "17", 100, clock::now())).await.unwrap();
    functions::call(&world, "hold-open", sent_by_service(&text, "hold-open", "job")).await;
    verified(&world, &text, "probe", &json!({ "cost": 60 })).await;
    world.claw_back(&accounts::refund("17", 100, clock::now())).await.unwrap();
    (world, text)
}

#[tokio::test]
async fn a_wallet_below_zero_shows_its_balance_and_holds() {
    let (world, _) = refunded().await;
    insta::assert_json_snapshot!(answer(&world, "wallet", sent_by("user_bill1", "wallet", "ask")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Wallet",
        "data": {
          "balance": -90,
          "held": 30,
          "total_purchased": 100,
          "total_granted": 0,
          "total_used": 60,
          "total_expired": 0,
          "total_clawed_back": 100,
          "currency": "EUR",
          "is_open": true,
          "test": {
            "balance": 100,
            "resets_at": "<time>"
          },
          "buckets": []
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn a_wallet_below_zero_refuses_even_free_checks() {
    let (world, text) = refunded().await;
    for cost in [0, 1] {
        let checked = verified(&world, &text, "probe", &json!({ "cost": cost })).await;
        assert_eq!((&checked["code"], &checked["limiter"]), (&json!("INSUFFICIENT_CREDITS"), &json!("wallet")));
    }
}

#[tokio::test]
async fn purchases_and_claw_backs_are_in_the_audit_log_and_published() {
    let (world, _) = refunded().await;
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "credits.purchased",
        "subject": "17",
        "actor": "service:stripe",
        "ip": null,
        "details": {
          "credits": 100
        }
      },
      {
        "action": "credits.clawed_back",
        "subject": "pi_17",
        "actor": "service:stripe",
        "ip": null,
        "details": {
          "credits": 100,
          "cause": "refund",
          "source": "evt_1"
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
          "credits": 100
        }
      },
      {
        "kind": "wallet.low",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "percent": 10,
          "balance": 10,
          "reference": 100
        }
      },
      {
        "kind": "payment.refunded",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "payment_id": "pi_17",
          "amount_cents": 100,
          "currency": "EUR",
          "credits": 100,
          "balance": -90
        }
      },
      {
        "kind": "wallet.low",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "percent": 0,
          "balance": -90,
          "reference": 100
        }
      }
    ]
    "#);
}
