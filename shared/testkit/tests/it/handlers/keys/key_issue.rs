//! key-issue: the properties of a new key. Its text is shown only once.

use consigne_core::keys::{KEYS_AN_HOUR, KEYS_MAX};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    ORG, OTHER_ORG, acme, answer, audit_log, code_of, found, headed, in_days, outbox, put_production, refusal, saying,
    sent_by, user, verified, with,
};

fn asked(case: &str) -> Value {
    sent_by("user_dev1", "key-issue", case)
}

async fn issued(world: &World, event: Value) -> Value {
    let answer = functions::call(world, "key-issue", event).await;
    assert_eq!(answer["status"], 201, "{answer}");
    answer["body"]["data"].clone()
}

fn text_of(issued: &Value) -> String {
    issued["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_new_key_is_shown_in_full() {
    let world = acme();
    insta::assert_json_snapshot!(answer(&world, "key-issue", asked("production")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Key issued. Store it now: it is not shown again",
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
          "monthly_quota": 10000,
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
          "previous_valid_until": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "key.issued",
        "subject": "key_<id>",
        "actor": "user_dev1",
        "ip": "203.0.113.9",
        "details": {
          "name": "Production API",
          "environment": "production",
          "scopes": [
            "pdf:read",
            "pdf:write"
          ]
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "key.issued",
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
}

#[tokio::test]
async fn a_test_key_spends_its_creators_test_credits() {
    let world = acme();
    insta::assert_json_snapshot!(answer(&world, "key-issue", asked("test")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Key issued. Store it now: it is not shown again",
        "data": {
          "key": "<key>",
          "id": "key_<id>",
          "name": "Laptop",
          "prefix": "sk_test",
          "hint": "<hint>",
          "environment": "test",
          "scopes": [
            "ai:write"
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
          "previous_valid_until": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let spenders: Vec<_> = world.state().accounts.keys.into_values().map(|key| key.spender).collect();
    assert_eq!(spenders, [Some(user("user_dev1"))]);
}

#[tokio::test]
async fn the_text_is_valid_and_its_last_four_characters_are_the_hint() {
    let world = acme();
    for (case, start) in [("production", "sk_live_"), ("test", "sk_test_")] {
        let issued = issued(&world, asked(case)).await;
        let text = text_of(&issued);
        assert!(text.starts_with(start) && text.len() == start.len() + 43, "{case}");
        assert_eq!(issued["hint"], text[text.len() - 4..]);
        let probed = verified(&world, &text, "probe", &json!({ "scope": null })).await;
        assert_eq!((&probed["code"], &probed["key_id"]), (&json!("VALID"), &issued["id"]));
    }
}

#[tokio::test]
async fn the_text_is_in_the_answer_and_nowhere_else() {
    let world = acme();
    let mut texts = Vec::new();
    for case in ["production", "test"] {
        texts.push(text_of(&issued(&world, asked(case)).await));
    }
    let id = world.state().accounts.keys.keys().next_back().unwrap().1.to_string();
    let mut recorded = vec![format!("{:?}", world.state())];
    for (function, case) in [
        ("key-list", "all"),
        ("key-update", "limits"),
        ("audit-list", "newest"),
        ("usage-log", "all"),
        ("key-revoke", "leaked"),
        ("key-delete", "one"),
    ] {
        let mut event = sent_by("user_ann1", function, case);
        event["pathParameters"]["key"] = id.clone().into();
        let answer = functions::call(&world, function, event).await;
        assert_eq!(answer["status"], 200, "{function}: {answer}");
        recorded.push(answer.to_string());
    }
    recorded.push(format!("{:?}", world.state()));
    for text in &texts {
        // The last four characters are the hint. The rest must not be stored either.
        let secret = &text["sk_live_".len()..text.len() - 4];
        assert!(recorded.iter().all(|recorded| !recorded.contains(secret)));
    }
}

#[tokio::test]
async fn a_retry_gets_the_same_text_and_issues_one_key() {
    let world = acme();
    let first = issued(&world, asked("production")).await;
    let before = world.state();
    assert_eq!(issued(&world, asked("production")).await, first);
    assert_eq!(world.state(), before);
    assert_eq!(code_of(&world, &text_of(&first)).await, "VALID");
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_body_or_organisation_is_refused() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[("user_dev1", consigne_core::orgs::OrgRole::Owner)]);
    issued(&world, asked("production")).await;
    let before = world.state();
    let other = with(asked("production"), &json!({ "monthly_quota": 10_001 }));
    insta::assert_json_snapshot!(answer(&world, "key-issue", other).await, @r#"
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
    let mut elsewhere = asked("production");
    elsewhere["pathParameters"]["org"] = OTHER_ORG.into();
    elsewhere["rawPath"] = elsewhere["rawPath"].as_str().unwrap().replace(ORG, OTHER_ORG).into();
    assert_eq!(refusal(&functions::call(&world, "key-issue", elsewhere).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn each_person_has_their_own_idempotency_keys() {
    let world = acme();
    let of = async |person: &str| text_of(&issued(&world, sent_by(person, "key-issue", "production")).await);
    assert_ne!(of("user_dev1").await, of("user_ann1").await);
    assert_eq!(world.state().accounts.keys.len(), 2);
}

#[tokio::test]
async fn without_an_idempotency_key_each_request_issues_a_key() {
    let world = acme();
    let event = || headed(asked("production"), "idempotency-key", None);
    assert_ne!(text_of(&issued(&world, event()).await), text_of(&issued(&world, event()).await));
    assert_eq!(world.state().accounts.keys.len(), 2);
}

#[tokio::test]
async fn a_retry_does_not_show_the_text_of_a_deleted_key() {
    let world = acme();
    let id = issued(&world, asked("production")).await["id"].clone();
    let mut event = sent_by("user_ann1", "key-delete", "one");
    event["pathParameters"]["key"] = id;
    functions::call(&world, "key-delete", event).await;
    insta::assert_json_snapshot!(answer(&world, "key-issue", asked("production")).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "The key was issued, but has been rotated or deleted since"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn no_key_is_issued_under_a_retired_pepper() {
    let world = acme();
    world.change(|state| state.accounts.closed_peppers.extend([1]));
    let before = world.state();
    assert_eq!(refusal(&functions::call(&world, "key-issue", asked("production")).await), (503, "UNAVAILABLE"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn valid_fields_are_stored_as_requested() {
    let world = acme();
    let end = in_days(30).to_string();
    let body = json!({ "name": "  Nightly  ", "environment": "test", "scopes": ["pdf:write", "ai:read", "pdf:write"],
        "minute_quota": 2, "daily_quota": 1, "monthly_quota": 1_u64 << 53, "expires_at": end });
    let issued = issued(&world, saying(asked("test"), &body)).await;
    assert_eq!(issued["name"], "Nightly");
    assert_eq!(issued["scopes"], json!(["ai:read", "pdf:write"]));
    assert_eq!((&issued["minute_quota"], &issued["minute_used"]), (&json!(2), &json!(0)));
    assert_eq!((&issued["daily_quota"], &issued["monthly_quota"]), (&json!(1), &json!(1_u64 << 53)));
    assert_eq!(issued["expires_at"], end);
    let listed = functions::call(&world, "key-list", sent_by("user_dev1", "key-list", "all")).await;
    insta::assert_json_snapshot!(payload::steady(&listed), @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Keys listed",
        "data": [
          {
            "id": "key_<id>",
            "name": "Nightly",
            "prefix": "sk_test",
            "hint": "<hint>",
            "environment": "test",
            "scopes": [
              "ai:read",
              "pdf:write"
            ],
            "minute_quota": 2,
            "daily_quota": 1,
            "monthly_quota": 9007199254740992,
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
}

/// Returns a request without an idempotency key.
fn without_key() -> Value {
    headed(asked("production"), "idempotency-key", None)
}

/// Counts answers with a status.
fn count(answers: &[Value], status: u16) -> usize {
    answers.iter().filter(|answer| answer["status"] == status).count()
}

#[tokio::test]
async fn sixty_keys_are_issued_or_rotated_in_an_hour() {
    let world = acme();
    let mut answers = Vec::new();
    for _ in 0..59 {
        answers.push(functions::call(&world, "key-issue", without_key()).await);
    }
    assert_eq!(count(&answers, 201), 59);
    put_production(&world, |_| ());
    let rotate = async || {
        answer(
            &world,
            "key-rotate",
            saying(sent_by("user_dev1", "key-rotate", "default-grace"), &json!({ "grace_seconds": 0 })),
        )
        .await
    };
    assert_eq!(rotate().await["status"], 201, "a rotation counts");
    for refused in [answer(&world, "key-issue", without_key()).await, rotate().await] {
        assert_eq!(refusal(&refused), (429, "RATE_LIMITED"), "{refused}");
        assert_eq!(refused["body"]["error"]["details"]["limit"], KEYS_AN_HOUR);
    }
    let retry = functions::call(&world, "key-rotate", sent_by("user_dev1", "key-rotate", "with-grace-and-key")).await;
    assert_eq!(refusal(&retry), (429, "RATE_LIMITED"));
    // These were also all the writes of the minute.
    world.change(|state| state.windows(&user("user_dev1")).writes = None);
    found(&world, OTHER_ORG, "Other", &[("user_dev1", consigne_core::orgs::OrgRole::Owner)]);
    let mut elsewhere = without_key();
    elsewhere["pathParameters"]["org"] = OTHER_ORG.into();
    assert_eq!(functions::call(&world, "key-issue", elsewhere).await["status"], 201, "another organisation");
}

#[tokio::test]
async fn an_organisation_has_five_hundred_keys_at_most() {
    let world = acme();
    put_production(&world, |_| ());
    world.change(|state| {
        let (place, key) = state.accounts.keys.iter().map(|(place, key)| (*place, key.clone())).next().unwrap();
        for at in 1..KEYS_MAX {
            let id = consigne_core::KeyId::derive(&["many", &at.to_string()]);
            state.accounts.keys.insert((place.0, id), consigne_core::keys::ApiKey { id, ..key.clone() });
        }
    });
    let refused = answer(&world, "key-issue", without_key()).await;
    assert_eq!(refusal(&refused), (409, "CONFLICT"), "{refused}");
    assert_eq!(refused["body"]["error"]["details"]["limit"], KEYS_MAX);
    let deleted = functions::call(&world, "key-delete", sent_by("user_ann1", "key-delete", "one")).await;
    assert_eq!(deleted["status"], 200, "{deleted}");
    assert_eq!(answer(&world, "key-issue", without_key()).await["status"], 201);
}
