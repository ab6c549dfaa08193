//! receipt-outcome: the outcome of a charged call is reported once.

use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    OTHER_SERVICE, acme, answer, headed, put_production, receipts, refusal, saying, sent_by, sent_by_service, verified,
    wallet_of, with,
};

fn outcome_event() -> Value {
    payload::event("receipt-outcome", "served", functions::SERVICE_TOKEN)
}

/// Creates a world with the receipt of the payload.
async fn paid() -> World {
    let world = acme();
    let text = put_production(&world, |_| ());
    let id = verified(&world, &text, "charge", &json!({})).await["receipt_id"].clone();
    assert_eq!(id, outcome_event()["pathParameters"]["id"]);
    world
}

#[tokio::test]
async fn an_outcome_is_stored_on_its_receipt_and_shown_in_the_usage_log() {
    let world = paid().await;
    insta::assert_json_snapshot!(answer(&world, "receipt-outcome", outcome_event()).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Outcome stored",
        "data": {
          "receipt_id": "rcpt_<id>_<id>",
          "status_code": 200,
          "response_ms": 142
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let outcome = receipts(&world).remove(0).outcome.unwrap();
    assert_eq!((outcome.status_code, outcome.response_ms, outcome.details), (200, 142, json!({ "pages": 3 })));
    assert_eq!(wallet_of(&world), [999, 1], "reporting must not be charged");
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
            "status_code": 200,
            "response_ms": 142,
            "credits": 1,
            "ip": "198.51.100.7",
            "country": "FR",
            "user_agent": "curl/8.5",
            "details": {
              "pages": 3
            },
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
}

#[tokio::test]
async fn a_repeated_outcome_gets_the_same_answer_and_another_one_is_refused() {
    let world = paid().await;
    let first = answer(&world, "receipt-outcome", outcome_event()).await;
    let before = world.state();
    assert_eq!(answer(&world, "receipt-outcome", outcome_event()).await, first);
    insta::assert_json_snapshot!(
        answer(&world, "receipt-outcome", with(outcome_event(), &json!({ "status_code": 500 }))).await,
        @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "The receipt already has another outcome"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#
    );
    for fields in [json!({ "response_ms": 143 }), json!({ "details": {} })] {
        let other = functions::call(&world, "receipt-outcome", with(outcome_event(), &fields)).await;
        assert_eq!(refusal(&other), (409, "CONFLICT"), "{fields}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn another_services_receipt_looks_nonexistent() {
    let world = paid().await;
    let before = world.state();
    let theirs = headed(outcome_event(), "authorization", Some(&format!("Bearer {OTHER_SERVICE}")));
    let theirs = answer(&world, "receipt-outcome", theirs).await;
    let id = outcome_event()["pathParameters"]["id"].as_str().unwrap().to_owned();
    let lower = id.to_lowercase();
    let unknown = id.replace("1RCER", "1RCES");
    assert_ne!(unknown, id);
    for id in [unknown.as_str(), lower.as_str(), &id[..id.len() - 1], "rcpt_", "", "17"] {
        let mut event = outcome_event();
        event["pathParameters"]["id"] = id.into();
        assert_eq!(answer(&world, "receipt-outcome", event).await, theirs, "{id}");
    }
    assert_eq!(world.state(), before);
    insta::assert_json_snapshot!(theirs, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Receipt not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_stored() {
    let world = paid().await;
    let before = world.state();
    let mut outcomes = Vec::new();
    for (field, value) in [
        ("status_code", json!(null)),
        ("status_code", json!(99)),
        ("status_code", json!(600)),
        ("status_code", json!(70_000)),
        ("status_code", json!("200")),
        ("response_ms", json!(null)),
        ("response_ms", json!(-1)),
        ("response_ms", json!(0.5)),
        ("response_ms", json!(86_400_001)),
        ("details", json!(null)),
        ("details", json!([])),
        ("details", json!("text")),
        ("details", json!({ "log": "x".repeat(4096) })),
        ("credits", json!(0)),
    ] {
        let answer = functions::call(&world, "receipt-outcome", with(outcome_event(), &json!({ field: value }))).await;
        let error = &answer["body"]["error"];
        assert_eq!(
            (refusal(&answer), &error["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!(field)),
            "{value}"
        );
        let shown: String = value.to_string().chars().take(20).collect();
        outcomes.push(format!("{field} {shown}: {}", error["message"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "status_code null: status_code: invalid type: null, expected a whole number, 0 or greater",
      "status_code 99: status_code must be 100 to 599",
      "status_code 600: status_code must be 100 to 599",
      "status_code 70000: status_code: invalid value: integer `70000`, expected a whole number, 0 or greater",
      "status_code \"200\": status_code: invalid type: string \"200\", expected a whole number, 0 or greater",
      "response_ms null: response_ms: invalid type: null, expected a whole number, 0 or greater",
      "response_ms -1: response_ms: invalid value: integer `-1`, expected a whole number, 0 or greater",
      "response_ms 0.5: response_ms: invalid type: number `0.5`, expected a whole number, 0 or greater",
      "response_ms 86400001: response_ms must be at most 86400000 (a day)",
      "details null: details: invalid type: null, expected an object",
      "details []: details: invalid type: array, expected an object",
      "details \"text\": details: invalid type: string \"text\", expected an object",
      "details {\"log\":\"xxxxxxxxxxxx: details must be at most 4096 bytes as JSON",
      "credits 0: unknown field credits"
    ]
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn values_at_the_limits_are_accepted() {
    for (status, ms) in [(100, 0), (599, 86_400_000)] {
        let world = paid().await;
        // Details may be missing, and may have 4 KiB.
        let body = json!({ "status_code": status, "response_ms": ms });
        assert_eq!(functions::call(&world, "receipt-outcome", saying(outcome_event(), &body)).await["status"], 200);
        assert_eq!(receipts(&world)[0].outcome.as_ref().unwrap().details, json!({}));
        let world = paid().await;
        let details = json!({ "log": "x".repeat(4096 - r#"{"log":""}"#.len()) });
        let body = json!({ "status_code": status, "response_ms": ms, "details": details });
        assert_eq!(functions::call(&world, "receipt-outcome", saying(outcome_event(), &body)).await["status"], 200);
    }
}

#[tokio::test]
async fn an_outcome_is_stored_even_if_the_key_was_revoked() {
    let world = paid().await;
    functions::call(&world, "key-revoke", sent_by("user_ann1", "key-revoke", "leaked")).await;
    assert_eq!(functions::call(&world, "receipt-outcome", outcome_event()).await["status"], 200);
    let refused = sent_by_service("", "key-verify", "misspelt-key");
    assert_eq!(functions::call(&world, "key-verify", refused).await["status"], 200);
}
