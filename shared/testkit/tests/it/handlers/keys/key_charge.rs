//! key-verify: charges. Which wallet is charged, how much, and only once.

use consigne_core::credits::{Wallet, WalletId};
use consigne_core::keys::KeyMode;
use consigne_runtime::clock;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    KEY_ID, OTHER_SERVICE, acme, answer, audit_log, change_key, headed, in_days, key_in, outbox, put_key,
    put_production, receipts, refusal, sent_by_service, test_wallet_of, user, verified, wallet_of, with,
};

const SECOND_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTX";

#[tokio::test]
async fn a_charge_debits_the_wallet_counts_the_call_and_writes_a_receipt() {
    let world = acme();
    let text = put_production(&world, |_| ());
    insta::assert_json_snapshot!(answer(&world, "key-verify", sent_by_service(&text, "key-verify", "charge")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is valid",
        "data": {
          "valid": true,
          "code": "VALID",
          "key_id": "key_<id>",
          "org_id": "org_<id>",
          "environment": "production",
          "receipt_id": "rcpt_<id>_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let key = key_in(&world);
    assert_eq!((key.daily_used(clock::now()), key.monthly_used(clock::now())), (1, 1));
    assert_eq!(key.last_used.unwrap().1.as_deref(), Some("198.51.100.7"));
    assert_eq!(wallet_of(&world), [999, 1]);
    let receipt = receipts(&world).remove(0);
    assert_eq!((receipt.credits, receipt.caller.as_str(), receipt.outcome), (1, "pdf-api", None));
    insta::assert_json_snapshot!(receipt.call, @r#"
    {
      "service": "pdf",
      "scope": "pdf:read",
      "endpoint": "/v1/render",
      "method": "POST",
      "ip": "198.51.100.7",
      "country": "FR",
      "user_agent": "curl/8.5"
    }
    "#);
    assert_eq!((audit_log(&world), outbox(&world)), (json!([]), json!([])), "the receipt has all details");
}

#[tokio::test]
async fn a_charge_without_an_address_keeps_the_last_one() {
    let world = acme();
    let text = put_production(&world, |_| ());
    verified(&world, &text, "charge", &json!({})).await;
    verified(&world, &text, "probe", &json!({ "service": "pdf" })).await;
    let key = key_in(&world);
    assert_eq!((key.daily_used(clock::now()), key.last_used.unwrap().1.as_deref()), (2, Some("198.51.100.7")));
}

#[tokio::test]
async fn a_pasted_key_and_a_cost_with_a_point_are_taken() {
    let world = acme();
    let text = put_production(&world, |_| ());
    for pasted in [format!(" {text}"), format!("{text}\r\n"), format!("\u{feff}{text}\u{a0}")] {
        let checked = verified(&world, &text, "probe", &json!({ "key": pasted, "cost": 2.0 })).await;
        assert_eq!(checked["code"], "VALID", "{pasted:?}");
    }
    assert_eq!(wallet_of(&world), [994, 6]);
}

#[tokio::test]
async fn a_cost_overrides_the_services_price_and_remaining_quotas_are_optional() {
    let world = acme();
    let text = put_production(&world, |key| key.daily_quota = Some(10));
    insta::assert_json_snapshot!(
        answer(&world, "key-verify", sent_by_service(&text, "key-verify", "cost-and-remaining")).await,
        @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is valid",
        "data": {
          "valid": true,
          "code": "VALID",
          "key_id": "key_<id>",
          "org_id": "org_<id>",
          "environment": "production",
          "receipt_id": "rcpt_<id>_<id>",
          "remaining": {
            "credits": 995,
            "minute": null,
            "daily": 9,
            "monthly": null
          }
        },
        "timestamp": "<time>"
      }
    }
    "#
    );
    for (fields, cost) in [
        (json!({ "service": "ai" }), 3),
        (json!({ "service": "mileage" }), 1),
        (json!({ "service": "ai", "cost": 7 }), 7),
        (json!({ "service": "ai", "cost": 0 }), 0),
        (json!({}), 0),
    ] {
        let [before, _] = wallet_of(&world);
        verified(&world, &text, "probe", &fields).await;
        assert_eq!(before - wallet_of(&world)[0], cost, "{fields}");
    }
}

#[tokio::test]
async fn a_retry_gets_the_same_receipt_and_is_not_charged() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let first = verified(&world, &text, "charge", &json!({})).await;
    let before = world.state();
    assert_eq!(verified(&world, &text, "charge", &json!({})).await, first);
    assert_eq!(world.state(), before);
    assert_eq!(
        verified(&world, &text, "charge", &json!({ "include": ["remaining"] })).await["remaining"]["credits"],
        999
    );
}

#[tokio::test]
async fn a_retry_gets_its_receipt_despite_later_refusals() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let first = verified(&world, &text, "charge", &json!({})).await;
    change_key(&world, |key| {
        key.daily_quota = Some(1);
        key.scopes.clear();
        key.expires_at = Some(in_days(-1));
    });
    world.change(|state| {
        let wallet: &mut Wallet = state.accounts.wallets.values_mut().next().unwrap();
        wallet.debit(wallet.balance.unsigned_abs());
        wallet.open = false;
    });
    assert_eq!(verified(&world, &text, "charge", &json!({})).await, first);
    assert_eq!(wallet_of(&world), [0, 1000]);
}

#[tokio::test]
async fn without_an_idempotency_key_each_request_is_charged() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let event = headed(sent_by_service(&text, "key-verify", "charge"), "idempotency-key", None);
        let answer = functions::call(&world, "key-verify", event).await;
        seen.insert(answer["body"]["data"]["receipt_id"].as_str().unwrap().to_owned());
    }
    assert_eq!((seen.len(), wallet_of(&world)), (3, [997, 3]));
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_call_or_key_is_refused() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let second = put_key(&world, SECOND_KEY, KeyMode::Production, |_| ());
    verified(&world, &text, "charge", &json!({})).await;
    let before = world.state();
    let event = sent_by_service(&text, "key-verify", "charge");
    insta::assert_json_snapshot!(answer(&world, "key-verify", with(event.clone(), &json!({ "cost": 2 }))).await, @r#"
    {
      "status": 422,
      "body": {
        "success": false,
        "error": {
          "code": "IDEMPOTENCY_MISMATCH",
          "message": "Idempotency-Key was already used with a different request"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    for fields in [
        json!({ "service": "ai" }),
        json!({ "scope": "pdf:write" }),
        json!({ "endpoint": "/v1/merge" }),
        json!({ "ip": "198.51.100.8" }),
        json!({ "key": second }),
    ] {
        let answer = functions::call(&world, "key-verify", with(event.clone(), &fields)).await;
        assert_eq!(refusal(&answer), (422, "IDEMPOTENCY_MISMATCH"), "{answer}");
    }
    assert_eq!(world.state(), before);
    assert_eq!(
        verified(&world, &text, "charge", &json!({ "cost": 1 })).await["valid"],
        true,
        "the same cost, given explicitly"
    );
}

#[tokio::test]
async fn each_service_has_its_own_idempotency_keys() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let first = verified(&world, &text, "charge", &json!({})).await;
    let event = sent_by_service(&text, "key-verify", "charge");
    let event = headed(event, "authorization", Some(&format!("Bearer {OTHER_SERVICE}")));
    let second = functions::call(&world, "key-verify", event).await;
    assert_ne!(second["body"]["data"]["receipt_id"], first["receipt_id"], "one service has used another's receipt");
}

#[tokio::test]
async fn a_refused_request_may_be_repeated_with_its_idempotency_key() {
    let world = acme();
    let text = put_production(&world, |key| key.scopes = ["ai:read".to_owned()].into());
    assert_eq!(verified(&world, &text, "charge", &json!({})).await["code"], "INSUFFICIENT_SCOPE");
    change_key(&world, |key| key.scopes = ["pdf:read".to_owned()].into());
    assert_eq!(verified(&world, &text, "charge", &json!({})).await["code"], "VALID");
}

#[tokio::test]
async fn a_quota_admits_exactly_its_number_of_calls() {
    let world = acme();
    let text = put_production(&world, |key| (key.daily_quota, key.monthly_quota) = (Some(3), Some(2)));
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(verified(&world, &text, "cost-and-remaining", &json!({})).await["code"].clone());
    }
    assert_eq!(codes, ["VALID", "VALID", "MONTHLY_QUOTA_EXCEEDED"]);
    assert_eq!((receipts(&world).len(), wallet_of(&world)), (2, [990, 10]));
}

#[tokio::test]
async fn a_test_key_spends_its_creators_test_wallet_only() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    let paid = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!((&paid["environment"], &paid["remaining"]["credits"]), (&json!("test"), &json!(95)));
    assert_eq!((wallet_of(&world), test_wallet_of(&world, "user_dev1")), ([1000, 0], Some([95, 5])));
}

#[tokio::test]
async fn test_keys_of_one_person_share_a_wallet() {
    let world = acme();
    let one = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    let other = put_key(&world, SECOND_KEY, KeyMode::Test, |_| ());
    let anns = put_key(&world, "key_01M7YREWKH7VM7Z3Z2KWSH2FTY", KeyMode::Test, |key| {
        key.spender = Some(user("user_ann1"));
    });
    for text in [&one, &other, &anns] {
        verified(&world, text, "probe", &json!({ "cost": 30 })).await;
    }
    assert_eq!(test_wallet_of(&world, "user_dev1"), Some([40, 60]));
    assert_eq!(test_wallet_of(&world, "user_ann1"), Some([70, 30]));
}

#[tokio::test]
async fn a_test_wallet_is_refilled_after_its_period() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    world.change(|state| {
        let mut wallet = Wallet::of_tester(user("user_dev1"), in_days(-31));
        wallet.debit(100);
        state.accounts.wallets.insert(wallet.id.clone(), wallet);
    });
    let paid = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!(paid["remaining"]["credits"], 95);
    assert_eq!(test_wallet_of(&world, "user_dev1"), Some([95, 105]));
}

/// Removes Dev from Acme. The owner's test wallet then pays for Dev's test keys.
fn dev_leaves(world: &consigne_testkit::fakes::World) {
    change_key(world, |key| key.spender = Some(user("user_ann1")));
}

#[tokio::test]
async fn a_test_key_spends_the_owners_credits_after_its_creator_left() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    dev_leaves(&world);
    assert_eq!(verified(&world, &text, "probe", &json!({ "cost": 5 })).await["valid"], true);
    assert_eq!(test_wallet_of(&world, "user_ann1"), Some([95, 5]));
    assert_eq!(test_wallet_of(&world, "user_dev1"), None);
}

#[tokio::test]
async fn remaining_test_credits_are_the_owners_after_the_creator_left() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    dev_leaves(&world);
    let credits = async |fields: Value| verified(&world, &text, "probe", &fields).await["remaining"]["credits"].clone();
    assert_eq!(credits(json!({ "cost": 5, "include": ["remaining"] })).await, 95);
    assert_eq!(credits(json!({ "include": ["remaining"] })).await, 95);
}

#[tokio::test]
async fn an_expired_lot_cannot_be_spent() {
    use consigne_core::LotId;
    use consigne_core::credits::LotKind;
    let world = acme();
    let text = put_production(&world, |_| ());
    world.change(|state| {
        let wallet: &mut Wallet = state.accounts.wallets.values_mut().next().unwrap();
        assert!(matches!(wallet.id, WalletId::Organisation(_)));
        wallet.add(LotId::mint(in_days(-2)), LotKind::Promo, 500, Some(in_days(-1)));
    });
    let paid = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!(paid["remaining"]["credits"], 995, "the expired 500 must be gone");
    assert_eq!(wallet_of(&world), [995, 5]);
}

#[tokio::test]
async fn a_failure_is_503_and_can_be_retried() {
    use consigne_testkit::fakes::Moment;
    let world = acme();
    let text = put_production(&world, |_| ());
    world.fail_at(1, Moment::After);
    let answer = functions::call(&world, "key-verify", sent_by_service(&text, "key-verify", "charge")).await;
    assert_eq!(refusal(&answer), (503, "UNAVAILABLE"));
    assert_eq!(verified(&world, &text, "charge", &json!({})).await["valid"], true);
    assert_eq!((wallet_of(&world), receipts(&world).len()), ([999, 1], 1));
}
