//! key-revoke and key-delete.

use consigne_core::keys::KeyStatus;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    acme, answer, audit_log, code_of, key_in, outbox, put_production, receipts, refusal, saying, sent_by, verified,
    wallet_of, with,
};

fn asked(function: &str, case: &str) -> Value {
    sent_by("user_ann1", function, case)
}

async fn revoked(world: &World, reason: &str) -> Value {
    functions::call(world, "key-revoke", with(asked("key-revoke", "leaked"), &json!({ "reason": reason }))).await
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_its_receipts_stay_valid() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let paid = verified(&world, &text, "charge", &json!({})).await;
    insta::assert_json_snapshot!(answer(&world, "key-revoke", asked("key-revoke", "leaked")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Key revoked",
        "data": {
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
          "status": "revoked",
          "minute_used": 0,
          "daily_used": 1,
          "monthly_used": 1,
          "last_used_at": "<time>",
          "last_used_ip": "198.51.100.7",
          "revoked_at": "<time>",
          "revoked_reason": "It stood in a public repository",
          "previous_valid_until": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "key.revoked",
        "subject": "key_<id>",
        "actor": "user_ann1",
        "ip": "203.0.113.9",
        "details": {
          "reason": "It stood in a public repository"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "key.revoked",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "key_id": "key_<id>",
          "name": "Production API",
          "actor": "user_ann1"
        }
      }
    ]
    "#);
    assert_eq!(code_of(&world, &text).await, "REVOKED");
    let refused = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!(refused, json!({ "valid": false, "code": "REVOKED", "limiter": "key", "resets_at": null }));
    assert_eq!(verified(&world, &text, "charge", &json!({})).await, paid, "a retry of a charged call must succeed");
    assert_eq!((wallet_of(&world), receipts(&world).len()), ([999, 1], 1));
}

#[tokio::test]
async fn a_second_revocation_keeps_the_first_reason_and_time() {
    let world = acme();
    put_production(&world, |_| ());
    let first = revoked(&world, "Leaked").await;
    let before = world.state();
    let again = revoked(&world, "Another reason").await;
    assert_eq!((&again["status"], &again["body"]["data"]), (&json!(200), &first["body"]["data"]));
    assert_eq!(again["body"]["data"]["revoked_reason"], "Leaked");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_reason_is_one_visible_line_of_at_most_200_characters() {
    let world = acme();
    put_production(&world, |_| ());
    let before = world.state();
    for body in [
        json!({}),
        json!({ "reason": null }),
        json!({ "reason": "" }),
        json!({ "reason": "  " }),
        json!({ "reason": "x".repeat(201) }),
        json!({ "reason": "a\r\nb" }),
    ] {
        let answer = functions::call(&world, "key-revoke", saying(asked("key-revoke", "leaked"), &body)).await;
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{body}");
        assert_eq!(answer["body"]["error"]["details"]["field"], "reason", "{body}");
    }
    assert_eq!(world.state(), before);
    assert_eq!(revoked(&world, &"é".repeat(200)).await["status"], 200);
}

#[tokio::test]
async fn a_deleted_key_leaves_its_row_receipts_and_audit_log() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let paid = verified(&world, &text, "charge", &json!({})).await;
    insta::assert_json_snapshot!(answer(&world, "key-delete", asked("key-delete", "one")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Key deleted",
        "data": {
          "id": "key_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "key.deleted",
        "subject": "key_<id>",
        "actor": "user_ann1",
        "ip": "203.0.113.9",
        "details": {}
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "key.deleted",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "key_id": "key_<id>",
          "name": "Production API",
          "actor": "user_ann1"
        }
      }
    ]
    "#);
    assert_eq!(key_in(&world).status, KeyStatus::Deleted, "its row must stay");
    let refused = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!(refused, json!({ "valid": false, "code": "NOT_FOUND", "limiter": null, "resets_at": null }));
    assert_eq!(verified(&world, &text, "charge", &json!({})).await, paid);
    let log = functions::call(&world, "usage-log", asked("usage-log", "all")).await;
    assert_eq!(log["body"]["data"][0]["receipt_id"], paid["receipt_id"]);
}

#[tokio::test]
async fn a_deleted_key_looks_nonexistent() {
    let world = acme();
    put_production(&world, |key| key.status = KeyStatus::Revoked);
    assert_eq!(answer(&world, "key-delete", asked("key-delete", "one")).await["status"], 200, "a revoked key, too");
    let before = world.state();
    for (function, case) in
        [("key-delete", "one"), ("key-revoke", "leaked"), ("key-update", "limits"), ("key-rotate", "default-grace")]
    {
        let gone = answer(&world, function, asked(function, case)).await;
        for unknown in ["key_01M7YREWKH7VM7Z3Z2KWSH2FZZ", "key_", "", accounts::ORG] {
            let mut event = asked(function, case);
            event["pathParameters"]["key"] = unknown.into();
            assert_eq!(answer(&world, function, event).await, gone, "{function} {unknown}");
        }
        assert_eq!(refusal(&gone), (404, "NOT_FOUND"), "{function}");
    }
    assert_eq!(world.state(), before);
    insta::assert_json_snapshot!(answer(&world, "key-delete", asked("key-delete", "one")).await, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Key not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}
