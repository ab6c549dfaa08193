//! key-rotate: a key with two valid texts for some time.

use consigne_core::keys::KeyStatus;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    acme, answer, audit_log, change_key, code_of, headed, in_days, key_in, outbox, put_production, receipts, refusal,
    saying, sent_by, verified, wallet_of,
};

fn asked(case: &str) -> Value {
    sent_by("user_dev1", "key-rotate", case)
}

async fn rotated(world: &World, event: Value) -> Value {
    let answer = functions::call(world, "key-rotate", event).await;
    assert_eq!(answer["status"], 201, "{answer}");
    answer["body"]["data"].clone()
}

/// Creates a key and rotates it. Returns both texts.
async fn both() -> (World, String, String) {
    let world = acme();
    let old = put_production(&world, |_| ());
    let new = rotated(&world, asked("with-grace-and-key")).await["key"].as_str().unwrap().to_owned();
    (world, old, new)
}

#[tokio::test]
async fn a_rotation_shows_the_new_text_and_the_expiry_of_the_old_one() {
    let world = acme();
    put_production(&world, |_| ());
    insta::assert_json_snapshot!(answer(&world, "key-rotate", asked("with-grace-and-key")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Key rotated. Store it now: it is not shown again",
        "data": {
          "key": "<key>",
          "id": "key_<id>",
          "name": "Production API",
          "prefix": "sk_live",
          "hint": "<hint>",
          "environment": "production",
          "scopes": [
            "pdf:read",
            "pdf:write"
          ],
          "minute_quota": null,
          "daily_quota": null,
          "monthly_quota": null,
          "expires_at": null,
          "created_by": "user_dev1",
          "created_at": "<time>",
          "status": "active",
          "minute_used": 0,
          "daily_used": 0,
          "monthly_used": 0,
          "last_used_at": null,
          "last_used_ip": null,
          "revoked_at": null,
          "revoked_reason": null,
          "previous_valid_until": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "key.rotated",
        "subject": "key_<id>",
        "actor": "user_dev1",
        "ip": "203.0.113.9",
        "details": {
          "generation": 2,
          "previous_valid_until": "<time>"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "key.rotated",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "key_id": "key_<id>",
          "name": "Production API",
          "actor": "user_dev1"
        }
      }
    ]
    "#);
    assert_eq!((key_in(&world).generation, world.state().accounts.keys.len()), (2, 1), "one key with two texts");
    assert_eq!(world.state().accounts.pointers.len(), 2);
}

#[tokio::test]
async fn the_old_text_works_until_the_grace_period_ends() {
    let (world, old, new) = both().await;
    assert_ne!(old, new);
    assert_eq!(key_in(&world).hint, new[new.len() - 4..]);
    assert_eq!((code_of(&world, &old).await, code_of(&world, &new).await), ("VALID".to_owned(), "VALID".to_owned()));
    change_key(&world, |key| key.previous_until = Some(clock::now()));
    assert_eq!((code_of(&world, &old).await, code_of(&world, &new).await), ("EXPIRED".to_owned(), "VALID".to_owned()));
    let refused = verified(&world, &old, "cost-and-remaining", &json!({})).await;
    assert_eq!(refused, json!({ "valid": false, "code": "EXPIRED", "limiter": "key", "resets_at": null }));
}

#[tokio::test]
async fn both_texts_share_quotas_and_counters() {
    let (world, old, new) = both().await;
    change_key(&world, |key| key.daily_quota = Some(2));
    let charge = async |text: &str| verified(&world, text, "cost-and-remaining", &json!({})).await;
    assert_eq!(charge(&old).await["remaining"]["daily"], 1);
    assert_eq!(charge(&new).await["remaining"]["daily"], 0);
    for text in [&old, &new] {
        assert_eq!(charge(text).await["code"], "DAILY_QUOTA_EXCEEDED");
    }
    assert_eq!((wallet_of(&world), receipts(&world).len()), ([990, 10], 2));
}

#[tokio::test]
async fn a_retry_with_the_new_text_finds_the_charge_of_the_old_one() {
    let (world, old, new) = both().await;
    let paid = verified(&world, &old, "charge", &json!({})).await;
    assert_eq!(verified(&world, &new, "charge", &json!({})).await, paid);
    assert_eq!(wallet_of(&world), [999, 1]);
}

#[tokio::test]
async fn the_default_grace_period_is_a_day() {
    let world = acme();
    put_production(&world, |_| ());
    for body in [json!({}), json!({ "grace_seconds": null })] {
        change_key(&world, |key| key.previous_until = None);
        rotated(&world, saying(asked("default-grace"), &body)).await;
        let left = key_in(&world).previous_until.unwrap().since(clock::now());
        assert!((86_390..=86_400).contains(&left.as_secs()), "{left:?}");
    }
}

#[tokio::test]
async fn a_text_of_an_older_installation_has_at_most_a_day_of_grace() {
    let world = acme();
    put_production(&world, |key| key.migrated_at = Some(clock::now()));
    for (asked_for, most) in [(30 * 86_400, 86_400), (3_600, 3_600)] {
        change_key(&world, |key| (key.previous_until, key.generation) = (None, 1));
        rotated(&world, saying(asked("default-grace"), &json!({ "grace_seconds": asked_for }))).await;
        let left = key_in(&world).previous_until.unwrap().since(clock::now()).as_secs();
        assert!((most - 10..=most).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn without_a_grace_period_the_old_text_is_refused_at_once() {
    let world = acme();
    let old = put_production(&world, |_| ());
    let issued = rotated(&world, saying(asked("default-grace"), &json!({ "grace_seconds": 0 }))).await;
    assert_eq!(issued["previous_valid_until"], Value::Null);
    assert_eq!(code_of(&world, &old).await, "EXPIRED");
    assert_eq!(code_of(&world, issued["key"].as_str().unwrap()).await, "VALID");
    rotated(&world, saying(asked("default-grace"), &json!({ "grace_seconds": 0 }))).await;
    assert_eq!(code_of(&world, issued["key"].as_str().unwrap()).await, "EXPIRED");
    assert_eq!(code_of(&world, &old).await, "EXPIRED", "an old text must not become valid again");
}

#[tokio::test]
async fn a_grace_period_is_at_most_thirty_days() {
    let world = acme();
    put_production(&world, |_| ());
    let before = world.state();
    let day = 86_400_u64;
    for grace in [json!(30 * day + 1), json!(u64::MAX), json!(-1), json!(1.5), json!("3600")] {
        let event = saying(asked("default-grace"), &json!({ "grace_seconds": grace }));
        let answer = functions::call(&world, "key-rotate", event).await;
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{grace}");
        assert_eq!(answer["body"]["error"]["details"]["field"], "grace_seconds", "{grace}");
    }
    let unknown = saying(asked("default-grace"), &json!({ "grace": 60 }));
    assert_eq!(functions::call(&world, "key-rotate", unknown).await["body"]["error"]["details"]["field"], "grace");
    assert_eq!(world.state(), before);
    rotated(&world, saying(asked("default-grace"), &json!({ "grace_seconds": 30 * day }))).await;
}

#[tokio::test]
async fn only_one_rotation_can_be_open() {
    let (world, _, _) = both().await;
    let before = world.state();
    insta::assert_json_snapshot!(answer(&world, "key-rotate", asked("default-grace")).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "previous text is valid until <time>; rotate again after that",
          "details": {
            "previous_valid_until": "<time>"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
    change_key(&world, |key| key.previous_until = Some(in_days(-1)));
    rotated(&world, asked("default-grace")).await;
    assert_eq!(key_in(&world).generation, 3);
}

#[tokio::test]
async fn a_retry_gets_the_same_text_and_rotates_once() {
    let (world, old, new) = both().await;
    let before = world.state();
    let again = rotated(&world, asked("with-grace-and-key")).await;
    assert_eq!(again["key"], new);
    assert_eq!(world.state(), before);
    assert_eq!((code_of(&world, &old).await, code_of(&world, &new).await), ("VALID".to_owned(), "VALID".to_owned()));
    change_key(&world, |key| key.previous_until = Some(in_days(-1)));
    assert_eq!(rotated(&world, asked("with-grace-and-key")).await["key"], new, "also after the grace period");
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_grace_period_is_refused() {
    let (world, _, _) = both().await;
    let before = world.state();
    let other = saying(asked("with-grace-and-key"), &json!({ "grace_seconds": 60 }));
    assert_eq!(refusal(&functions::call(&world, "key-rotate", other).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_retry_does_not_show_a_replaced_text() {
    let (world, _, _) = both().await;
    change_key(&world, |key| key.previous_until = Some(in_days(-1)));
    rotated(&world, headed(asked("with-grace-and-key"), "idempotency-key", Some("rotate-18"))).await;
    insta::assert_json_snapshot!(answer(&world, "key-rotate", asked("with-grace-and-key")).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "The key was rotated, but has been rotated again since"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_revoked_or_expired_key_cannot_be_rotated() {
    let world = acme();
    put_production(&world, |key| key.expires_at = Some(in_days(-1)));
    for _ in 0..2 {
        let before = world.state();
        let answer = functions::call(&world, "key-rotate", asked("default-grace")).await;
        assert_eq!(refusal(&answer), (409, "CONFLICT"), "{answer}");
        assert_eq!(world.state(), before);
        change_key(&world, |key| (key.status, key.expires_at) = (KeyStatus::Revoked, None));
    }
}

#[tokio::test]
async fn a_revocation_applies_to_both_texts() {
    let (world, old, new) = both().await;
    functions::call(&world, "key-revoke", sent_by("user_dev1", "key-revoke", "leaked")).await;
    for text in [old, new] {
        assert_eq!(code_of(&world, &text).await, "REVOKED");
    }
}

#[tokio::test]
async fn a_keys_expiry_applies_to_both_texts() {
    let (world, old, new) = both().await;
    change_key(&world, |key| key.expires_at = Some(in_days(-1)));
    for text in [old, new] {
        assert_eq!(code_of(&world, &text).await, "EXPIRED");
    }
}

#[tokio::test]
async fn no_text_is_issued_under_a_retired_pepper() {
    let world = acme();
    put_production(&world, |_| ());
    world.change(|state| state.accounts.closed_peppers.extend([1]));
    let before = world.state();
    assert_eq!(
        refusal(&functions::call(&world, "key-rotate", asked("with-grace-and-key")).await),
        (503, "UNAVAILABLE")
    );
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_retry_does_not_show_the_text_of_a_deleted_key() {
    let (world, _, _) = both().await;
    functions::call(&world, "key-delete", sent_by("user_ann1", "key-delete", "one")).await;
    let again = functions::call(&world, "key-rotate", asked("with-grace-and-key")).await;
    assert_eq!(refusal(&again), (404, "NOT_FOUND"), "{again}");
}
