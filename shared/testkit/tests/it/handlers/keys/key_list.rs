//! key-list and key-update.

use consigne_core::keys::KeyStatus;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    acme, answer, audit_log, change_key, code_of, headed, in_days, key_in, outbox, put_production, refusal, saying,
    sent_by, used, verified,
};

fn asked(function: &str, case: &str) -> Value {
    sent_by("user_ann1", function, case)
}

async fn updated(world: &World, body: &Value) -> Value {
    functions::call(world, "key-update", saying(asked("key-update", "limits"), body)).await
}

#[tokio::test]
async fn a_key_is_listed_with_its_usage_and_without_its_text() {
    let world = acme();
    let text = put_production(&world, |key| {
        key.daily_quota = Some(500);
        key.used = used(7);
        key.last_used = Some((clock::now(), Some("198.51.100.7".to_owned())));
    });
    let listed = functions::call(&world, "key-list", asked("key-list", "all")).await;
    insta::assert_json_snapshot!(payload::steady(&listed), @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Keys listed",
        "data": [
          {
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
            "daily_quota": 500,
            "monthly_quota": null,
            "expires_at": null,
            "created_by": "user_dev1",
            "created_at": "<time>",
            "status": "active",
            "minute_used": 0,
            "daily_used": 7,
            "monthly_used": 7,
            "last_used_at": "<time>",
            "last_used_ip": "198.51.100.7",
            "revoked_at": null,
            "revoked_reason": null,
            "previous_valid_until": null
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
    assert_eq!(listed["body"]["data"][0]["hint"], text[text.len() - 4..]);
}

#[tokio::test]
async fn a_list_shows_expired_and_revoked_keys_but_no_deleted_ones() {
    let world = acme();
    put_production(&world, |key| key.expires_at = Some(in_days(-1)));
    let status = async || {
        let listed = functions::call(&world, "key-list", asked("key-list", "all")).await;
        listed["body"]["data"][0]["status"].clone()
    };
    assert_eq!(status().await, "expired");
    change_key(&world, |key| key.status = KeyStatus::Revoked);
    assert_eq!(status().await, "revoked");
    change_key(&world, |key| key.status = KeyStatus::Deleted);
    assert_eq!(status().await, Value::Null);
}

#[tokio::test]
async fn an_update_keeps_clears_or_sets_each_field() {
    let world = acme();
    put_production(&world, |key| {
        (key.daily_quota, key.monthly_quota, key.expires_at) = (Some(10), Some(100), Some(in_days(30)));
    });
    insta::assert_json_snapshot!(answer(&world, "key-update", asked("key-update", "limits")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Key updated",
        "data": {
          "id": "key_<id>",
          "name": "Production API",
          "prefix": "sk_live",
          "hint": "<hint>",
          "environment": "production",
          "scopes": [
            "pdf:read"
          ],
          "minute_quota": null,
          "daily_quota": 500,
          "monthly_quota": null,
          "expires_at": "<time>",
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
          "previous_valid_until": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "key.updated",
        "subject": "key_<id>",
        "actor": "user_ann1",
        "ip": "203.0.113.9",
        "details": {
          "name": "Production API",
          "scopes": [
            "pdf:read"
          ],
          "minute_quota": null,
          "daily_quota": 500,
          "monthly_quota": null,
          "expires_at": "<time>"
        }
      }
    ]
    "#);
    assert_eq!(outbox(&world), json!([]));
    for (body, name, daily, monthly, expires) in [
        (json!({ "name": "Renamed" }), "Renamed", Some(500), None, true),
        (json!({ "daily_quota": null }), "Renamed", None, None, true),
        (json!({ "monthly_quota": 5, "expires_at": null }), "Renamed", None, Some(5), false),
        (json!({ "scopes": ["ai:read"], "name": " Again " }), "Again", None, Some(5), false),
    ] {
        assert_eq!(updated(&world, &body).await["status"], 200, "{body}");
        let key = key_in(&world);
        assert_eq!((key.name.as_str(), key.daily_quota, key.monthly_quota), (name, daily, monthly), "{body}");
        assert_eq!(key.expires_at.is_some(), expires, "{body}");
    }
}

#[tokio::test]
async fn an_update_applies_at_once() {
    let world = acme();
    let text = put_production(&world, |_| ());
    assert_eq!(code_of(&world, &text).await, "VALID");
    updated(&world, &json!({ "scopes": ["ai:read"] })).await;
    assert_eq!(code_of(&world, &text).await, "INSUFFICIENT_SCOPE");
    updated(&world, &json!({ "scopes": ["pdf:read"], "expires_at": in_days(1).to_string() })).await;
    assert_eq!(code_of(&world, &text).await, "VALID");
}

#[tokio::test]
async fn an_update_with_the_same_values_changes_nothing() {
    let world = acme();
    put_production(&world, |_| ());
    assert_eq!(answer(&world, "key-update", asked("key-update", "limits")).await["status"], 200);
    let before = world.state();
    assert_eq!(answer(&world, "key-update", asked("key-update", "limits")).await["status"], 200);
    assert_eq!(updated(&world, &json!({ "name": "Production API" })).await["status"], 200);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_update_keeps_counters_of_charges() {
    let world = acme();
    let text = put_production(&world, |_| ());
    verified(&world, &text, "charge", &json!({})).await;
    updated(&world, &json!({ "daily_quota": 1 })).await;
    assert_eq!(key_in(&world).daily_used(clock::now()), 1);
    assert_eq!(verified(&world, &text, "cost-and-remaining", &json!({})).await["code"], "DAILY_QUOTA_EXCEEDED");
}

#[tokio::test]
async fn a_minute_quota_is_set_applied_and_removed() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let changed = updated(&world, &json!({ "minute_quota": 1 })).await;
    assert_eq!(changed["body"]["data"]["minute_quota"], 1);
    assert_eq!(verified(&world, &text, "charge", &json!({})).await["code"], "VALID");
    assert_eq!(key_in(&world).minute_used(clock::now()), 1);
    let refused = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!((&refused["code"], &refused["limiter"]), (&json!("MINUTE_QUOTA_EXCEEDED"), &json!("key")));
    updated(&world, &json!({ "name": "Renamed" })).await;
    assert_eq!(key_in(&world).minute_used(clock::now()), 1, "a change keeps the window");
    updated(&world, &json!({ "minute_quota": null })).await;
    assert_eq!(verified(&world, &text, "cost-and-remaining", &json!({})).await["code"], "VALID");
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_changes() {
    let world = acme();
    put_production(&world, |_| ());
    let before = world.state();
    let mut outcomes = Vec::new();
    for body in [
        json!({}),
        json!({ "name": null }),
        json!({ "name": "" }),
        json!({ "scopes": null }),
        json!({ "scopes": [] }),
        json!({ "scopes": ["pdf:delete"] }),
        json!({ "daily_quota": 0 }),
        json!({ "minute_quota": 0 }),
        json!({ "monthly_quota": "5" }),
        json!({ "expires_at": "soon" }),
        json!({ "expires_at": "2020-01-01T00:00:00Z" }),
        json!({ "environment": "test" }),
        json!({ "status": "active" }),
        json!({ "name": "Good", "hint": "0000" }),
    ] {
        let answer = updated(&world, &body).await;
        let error = &answer["body"]["error"];
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{body}");
        outcomes.push(format!("{body}: {}: {}", error["details"]["field"], error["message"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "{}: null: body must name at least one field to change",
      "{\"name\":null}: \"name\": name cannot be null",
      "{\"name\":\"\"}: \"name\": name must have 1 to 100 characters",
      "{\"scopes\":null}: \"scopes\": scopes cannot be null",
      "{\"scopes\":[]}: \"scopes\": scopes must name at least one scope; GET /api/services lists them",
      "{\"scopes\":[\"pdf:delete\"]}: \"scopes\": unknown scope `pdf:delete`; GET /api/services lists them",
      "{\"daily_quota\":0}: \"daily_quota\": daily_quota must be at least 1; to stop a key, revoke it",
      "{\"minute_quota\":0}: \"minute_quota\": minute_quota must be at least 1; to stop a key, revoke it",
      "{\"monthly_quota\":\"5\"}: \"monthly_quota\": monthly_quota: invalid type: string \"5\", expected a whole number, 0 or greater",
      "{\"expires_at\":\"soon\"}: \"expires_at\": expires_at must be a time such as 2027-01-31T00:00:00Z",
      "{\"expires_at\":\"2020-01-01T00:00:00Z\"}: \"expires_at\": expires_at must be in the future",
      "{\"environment\":\"test\"}: \"environment\": unknown field environment",
      "{\"status\":\"active\"}: \"status\": unknown field status",
      "{\"name\":\"Good\",\"hint\":\"0000\"}: \"hint\": unknown field hint"
    ]
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn revoked_and_deleted_keys_cannot_be_updated() {
    let world = acme();
    put_production(&world, |key| key.status = KeyStatus::Revoked);
    insta::assert_json_snapshot!(answer(&world, "key-update", asked("key-update", "limits")).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "key is revoked and cannot be changed; issue another one"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    change_key(&world, |key| key.status = KeyStatus::Deleted);
    assert_eq!(refusal(&updated(&world, &json!({ "name": "New" })).await), (404, "NOT_FOUND"));
    assert_eq!(audit_log(&world), json!([]));
}

#[tokio::test]
async fn a_body_must_be_json() {
    let world = acme();
    put_production(&world, |_| ());
    for (function, case) in [("key-update", "limits"), ("key-revoke", "leaked"), ("key-rotate", "default-grace")] {
        let plain = headed(asked(function, case), "content-type", Some("text/plain"));
        assert_eq!(refusal(&functions::call(&world, function, plain).await), (415, "UNSUPPORTED_MEDIA_TYPE"));
        let mut cut = asked(function, case);
        cut["body"] = "{\"reason\": ".into();
        assert_eq!(refusal(&functions::call(&world, function, cut).await), (400, "INVALID_REQUEST"));
    }
    assert_eq!(audit_log(&world), json!([]));
}
