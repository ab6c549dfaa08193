//! wallet, services, usage-log and audit-list: what members see of credits, calls and actions.

use consigne_core::credits::{LotKind, TEST_PERIOD, Wallet, WalletId};
use consigne_core::keys::KeyMode;
use consigne_core::{AuditId, LotId};
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, acme, answer, in_days, org, put_key, put_production, sent_by, user, verified, with,
};

async fn wallet(world: &World, person: &str) -> Value {
    functions::call(world, "wallet", sent_by(person, "wallet", "ask")).await["body"]["data"].clone()
}

fn change_wallet(world: &World, change: impl FnOnce(&mut Wallet)) {
    world.change(|state| change(state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap()));
}

#[tokio::test]
async fn a_wallet_shows_its_balance_lots_and_the_callers_test_credits() {
    let world = acme();
    let (live, test) = (put_production(&world, |_| ()), "key_01M7YREWKH7VM7Z3Z2KWSH2FTX");
    let test = put_key(&world, test, KeyMode::Test, |_| ());
    change_wallet(&world, |wallet| wallet.add(LotId::mint(GRANTED), LotKind::Promo, 50, Some(in_days(30))));
    verified(&world, &live, "probe", &json!({ "cost": 60 })).await;
    verified(&world, &test, "probe", &json!({ "cost": 1 })).await;
    insta::assert_json_snapshot!(answer(&world, "wallet", sent_by("user_dev1", "wallet", "ask")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Wallet",
        "data": {
          "balance": 990,
          "held": 0,
          "total_purchased": 1000,
          "total_granted": 50,
          "total_used": 60,
          "total_expired": 0,
          "total_clawed_back": 0,
          "currency": "EUR",
          "is_open": true,
          "test": {
            "balance": 99,
            "resets_at": "<time>"
          },
          "buckets": [
            {
              "id": "lot_<id>",
              "kind": "paid",
              "amount": 1000,
              "left": 990,
              "expires_at": null
            }
          ]
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert_eq!(wallet(&world, "user_bill1").await["test"]["balance"], 100, "callers see their own test credits");
}

#[tokio::test]
async fn reading_a_wallet_changes_nothing() {
    let world = acme();
    change_wallet(&world, |wallet| wallet.add(LotId::mint(GRANTED), LotKind::Promo, 50, Some(in_days(-1))));
    let before = world.state();
    let shown = wallet(&world, "user_ann1").await;
    assert_eq!(
        (&shown["balance"], &shown["total_expired"]),
        (&json!(1000), &json!(50)),
        "expired credits must be gone"
    );
    assert_eq!(shown["buckets"].as_array().unwrap().len(), 1);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn all_credits_of_a_wallet_add_up() {
    let world = acme();
    let live = put_production(&world, |_| ());
    change_wallet(&world, |wallet| wallet.add(LotId::mint(GRANTED), LotKind::Promo, 50, Some(in_days(-1))));
    verified(&world, &live, "probe", &json!({ "cost": 60 })).await;
    let shown = wallet(&world, "user_ann1").await;
    let sum = |names: &[&str]| -> u64 { names.iter().map(|name| shown[*name].as_u64().unwrap()).sum() };
    let there = sum(&["balance", "held", "total_used", "total_expired", "total_clawed_back"]);
    assert_eq!(there, sum(&["total_purchased", "total_granted"]));
    let left: u64 = shown["buckets"].as_array().unwrap().iter().map(|lot| lot["left"].as_u64().unwrap()).sum();
    assert_eq!(left, shown["balance"].as_u64().unwrap() + shown["held"].as_u64().unwrap());
}

#[tokio::test]
async fn a_suspended_organisations_wallet_is_closed() {
    let world = acme();
    change_wallet(&world, |wallet| wallet.open = false);
    assert_eq!(wallet(&world, "user_bill1").await["is_open"], false);
}

#[tokio::test]
async fn a_test_wallet_shows_its_new_period_after_the_last_one() {
    let world = acme();
    let made = in_days(-31);
    world.change(|state| {
        let mut wallet = Wallet::of_tester(user("user_ann1"), made);
        wallet.debit(70);
        state.accounts.wallets.insert(wallet.id.clone(), wallet);
    });
    let shown = wallet(&world, "user_ann1").await;
    assert_eq!(shown["test"]["balance"], 100);
    assert_eq!(
        shown["test"]["resets_at"],
        made.plus(TEST_PERIOD * 2).to_string(),
        "periods are counted from the first use"
    );
}

#[tokio::test]
async fn every_signed_in_user_can_read_the_catalogue() {
    let world = World::default();
    insta::assert_json_snapshot!(answer(&world, "services", sent_by("user_new1", "services", "catalogue")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Services listed",
        "data": [
          {
            "name": "pdf",
            "display_name": "PDF",
            "description": "Makes and reads PDF documents.",
            "base_cost_per_call": 1,
            "hold_max": 1000,
            "scopes": [
              "pdf:read",
              "pdf:write"
            ],
            "category": "documents",
            "is_active": true
          },
          {
            "name": "ai",
            "display_name": "AI",
            "description": "Generates text and images.",
            "base_cost_per_call": 3,
            "hold_max": 10000,
            "scopes": [
              "ai:read",
              "ai:write"
            ],
            "category": "generation",
            "is_active": true
          },
          {
            "name": "mileage",
            "display_name": "Mileage",
            "description": "Calculates mileage allowances.",
            "base_cost_per_call": 1,
            "hold_max": 1000,
            "scopes": [
              "mileage:calculate"
            ],
            "category": "calculation",
            "is_active": true
          }
        ],
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn the_usage_log_shows_every_charge_with_its_details() {
    let world = acme();
    let live = put_production(&world, |_| ());
    let test = put_key(&world, "key_01M7YREWKH7VM7Z3Z2KWSH2FTX", KeyMode::Test, |_| ());
    verified(&world, &live, "charge", &json!({})).await;
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
            "endpoint": "/v1/render",
            "method": "POST",
            "status_code": null,
            "response_ms": null,
            "credits": 1,
            "ip": "198.51.100.7",
            "country": "FR",
            "user_agent": "curl/8.5",
            "details": null,
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
    verified(&world, &test, "cost-and-remaining", &json!({})).await;
    verified(&world, &live, "probe", &json!({})).await;
    verified(&world, &live, "probe", &json!({ "cost": 1_000_000 })).await;
    let log = functions::call(&world, "usage-log", sent_by("user_bill1", "usage-log", "all")).await;
    assert_eq!(log["body"]["metadata"]["total"], 2, "probes and refusals must write no receipt");
}

#[tokio::test]
async fn the_usage_log_can_be_filtered_by_day_and_key() {
    let world = acme();
    let live = put_production(&world, |_| ());
    let other = put_key(&world, "key_01M7YREWKH7VM7Z3Z2KWSH2FTX", KeyMode::Production, |_| ());
    for text in [&live, &other] {
        verified(&world, text, "cost-and-remaining", &json!({})).await;
    }
    world.change(|state| state.accounts.receipts.values_mut().for_each(|receipt| receipt.at = GRANTED));
    let log = functions::call(&world, "usage-log", sent_by("user_dev1", "usage-log", "day-and-key")).await;
    assert_eq!(log["body"]["metadata"]["total"], 1);
    assert_eq!(log["body"]["data"][0]["key_id"], KEY_ID);
    assert_eq!(log["body"]["data"][0]["timestamp"], GRANTED.to_string());
}

#[tokio::test]
async fn the_audit_log_shows_who_did_what_from_where() {
    let world = acme();
    put_production(&world, |_| ());
    for (person, function, case, fields) in [
        ("user_dev1", "key-update", "limits", json!({ "name": "Renamed" })),
        ("user_adam1", "key-revoke", "leaked", json!({})),
    ] {
        functions::call(&world, function, with(sent_by(person, function, case), &fields)).await;
        // Ids of one millisecond have no order, so the existing entries are dated to yesterday.
        world.change(|state| {
            let first = state.accounts.audit.first_mut().unwrap();
            first.id = AuditId::mint(in_days(-1));
        });
    }
    insta::assert_json_snapshot!(answer(&world, "audit-list", sent_by("user_ann1", "audit-list", "newest")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Audit log listed",
        "data": [
          {
            "id": "aud_<id>",
            "action": "key.revoked",
            "subject": "key_<id>",
            "actor": "user_adam1",
            "ip": "203.0.113.9",
            "user_agent": "example/1.0",
            "timestamp": "<time>",
            "details": {
              "reason": "It stood in a public repository"
            }
          },
          {
            "id": "aud_<id>",
            "action": "key.updated",
            "subject": "key_<id>",
            "actor": "user_dev1",
            "ip": "203.0.113.9",
            "user_agent": "example/1.0",
            "timestamp": "<time>",
            "details": {
              "name": "Renamed",
              "scopes": [
                "pdf:read"
              ],
              "minute_quota": null,
              "daily_quota": 500,
              "monthly_quota": null,
              "expires_at": null
            }
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 2
        }
      }
    }
    "#);
}
