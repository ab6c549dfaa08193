//! key-issue: invalid fields.

use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{acme, headed, in_days, refusal, saying, sent_by, with};

fn asked(case: &str) -> Value {
    sent_by("user_dev1", "key-issue", case)
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_issued() {
    let world = acme();
    let before = world.state();
    let yesterday = in_days(-1).to_string();
    let mut outcomes = Vec::new();
    for (field, value) in [
        ("name", json!(null)),
        ("name", json!("")),
        ("name", json!("   ")),
        ("name", json!("x".repeat(101))),
        ("name", json!("a\nb")),
        ("name", json!("a\u{202E}b")),
        ("environment", json!("live")),
        ("environment", json!("Production")),
        ("scopes", json!(null)),
        ("scopes", json!([])),
        ("scopes", json!("pdf:read")),
        ("scopes", json!(["pdf:admin"])),
        ("scopes", json!(["pdf:read", "*"])),
        ("scopes", json!(["PDF:READ"])),
        ("daily_quota", json!(0)),
        ("daily_quota", json!(-1)),
        ("daily_quota", json!(1.5)),
        ("daily_quota", json!("10")),
        ("daily_quota", json!(u64::MAX)),
        ("monthly_quota", json!(0)),
        ("monthly_quota", json!((1_u64 << 53) + 1)),
        ("expires_at", json!(yesterday)),
        ("expires_at", json!("tomorrow")),
        ("expires_at", json!("2099-01-31")),
        ("expires_at", json!(4_102_444_800_u64)),
        ("expires_at", json!("")),
        ("id", json!("key_01M7YREWKH7VM7Z3Z2KWSH2FTS")),
        ("status", json!("active")),
    ] {
        let answer = functions::call(&world, "key-issue", with(asked("production"), &json!({ field: value }))).await;
        let error = &answer["body"]["error"];
        assert!(error["details"]["field"].as_str().unwrap_or_default().starts_with(field), "{field} {value}: {answer}");
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{field} {value}");
        let shown: String = value.to_string().replace(&yesterday, "<yesterday>").escape_default().take(30).collect();
        outcomes.push(format!("{field} {shown}: {}", error["message"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "name null: name: invalid type: null, expected a string",
      "name \\\"\\\": name must have 1 to 100 characters",
      "name \\\"   \\\": name must have 1 to 100 characters",
      "name \\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxx: name must have 1 to 100 characters",
      "name \\\"a\\\\nb\\\": name must not contain control or invisible characters",
      "name \\\"a\\u{202e}b\\\": name must not contain control or invisible characters",
      "environment \\\"live\\\": environment: unknown variant `live`, expected `production` or `test`",
      "environment \\\"Production\\\": environment: unknown variant `Production`, expected `production` or `test`",
      "scopes null: scopes: invalid type: null, expected an array",
      "scopes []: scopes must name at least one scope; GET /api/services lists them",
      "scopes \\\"pdf:read\\\": scopes: invalid type: string \"pdf:read\", expected an array",
      "scopes [\\\"pdf:admin\\\"]: unknown scope `pdf:admin`; GET /api/services lists them",
      "scopes [\\\"pdf:read\\\",\\\"*\\\"]: unknown scope `*`; GET /api/services lists them",
      "scopes [\\\"PDF:READ\\\"]: unknown scope `PDF:READ`; GET /api/services lists them",
      "daily_quota 0: daily_quota must be at least 1; to stop a key, revoke it",
      "daily_quota -1: daily_quota: invalid value: integer `-1`, expected a whole number, 0 or greater",
      "daily_quota 1.5: daily_quota: invalid type: number `1.5`, expected a whole number, 0 or greater",
      "daily_quota \\\"10\\\": daily_quota: invalid type: string \"10\", expected a whole number, 0 or greater",
      "daily_quota 18446744073709551615: daily_quota must be at most 9007199254740992",
      "monthly_quota 0: monthly_quota must be at least 1; to stop a key, revoke it",
      "monthly_quota 9007199254740993: monthly_quota must be at most 9007199254740992",
      "expires_at \\\"<yesterday>\\\": expires_at must be in the future",
      "expires_at \\\"tomorrow\\\": expires_at must be a time such as 2027-01-31T00:00:00Z",
      "expires_at \\\"2099-01-31\\\": expires_at must be a time such as 2027-01-31T00:00:00Z",
      "expires_at 4102444800: expires_at: invalid type: integer `4102444800`, expected a string",
      "expires_at \\\"\\\": expires_at must be a time such as 2027-01-31T00:00:00Z",
      "id \\\"key_01M7YREWKH7VM7Z3Z2KWSH2F: unknown field id",
      "status \\\"active\\\": unknown field status"
    ]
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_environment_that_is_not_text_is_named() {
    for value in [json!(null), json!(7), json!(true)] {
        let event = with(asked("production"), &json!({ "environment": value }));
        let answer = functions::call(&acme(), "key-issue", event).await;
        assert_eq!(answer["body"]["error"]["details"]["field"], "environment", "{answer}");
    }
}

#[tokio::test]
async fn missing_fields_and_invalid_idempotency_keys_are_named() {
    let world = acme();
    let before = world.state();
    for field in ["name", "environment", "scopes"] {
        let mut body: Value = serde_json::from_str(asked("production")["body"].as_str().unwrap()).unwrap();
        body.as_object_mut().unwrap().remove(field);
        let answer = functions::call(&world, "key-issue", saying(asked("production"), &body)).await;
        assert_eq!(answer["body"]["error"]["details"]["field"], field, "{answer}");
    }
    let long = "x".repeat(256);
    for key in ["", " ", "é", long.as_str()] {
        let event = headed(asked("production"), "idempotency-key", Some(key));
        let answer = functions::call(&world, "key-issue", event).await;
        assert_eq!(answer["body"]["error"]["details"]["field"], "Idempotency-Key", "{key:?}: {answer}");
    }
    assert_eq!(world.state(), before);
}
