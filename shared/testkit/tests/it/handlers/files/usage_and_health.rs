//! usage, health and fallback.

use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{headed, refusal};
use crate::handlers::{call, call_as, pending, pending_at, ready, world_with};

#[tokio::test]
async fn usage_shows_stored_and_reserved_bytes() {
    let waiting = pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTS-b.png");
    insta::assert_json_snapshot!(call(&world_with(&[ready(&pending()), waiting]), "usage", "ask").await, @r#"
    {
      "status": 200,
      "body": {
        "userId": "user_ann1",
        "plan": "pro",
        "totalFiles": 1,
        "totalSize": 1000,
        "reservedSize": 1000,
        "limit": 107374182400,
        "percent": 0.0,
        "byKind": {
          "audio": {
            "files": 0,
            "size": 0
          },
          "blog": {
            "files": 0,
            "size": 0
          },
          "book": {
            "files": 0,
            "size": 0
          },
          "document": {
            "files": 0,
            "size": 0
          },
          "image": {
            "files": 1,
            "size": 1000
          },
          "video": {
            "files": 0,
            "size": 0
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn a_new_user_has_no_usage() {
    let answer = call_as(&World::default(), "usage", "ask", "user_new1", "free").await;
    assert_eq!((&answer["body"]["totalFiles"], &answer["body"]["percent"]), (&json!(0), &json!(0.0)));
    assert_eq!(answer["body"]["limit"], 1_u64 << 30);
}

#[tokio::test]
async fn head_on_health_is_answered_as_get_without_a_body() {
    let world = World::default();
    let mut event = payload::event("health", "ask", "");
    event["requestContext"]["http"]["method"] = "HEAD".into();
    event["routeKey"] = "HEAD /api/health".into();
    let head = functions::call(&world, "health", event).await;
    assert_eq!((&head["status"], &head["body"]), (&json!(200), &Value::Null));
    let length: usize = head["headers"]["content-length"].as_str().unwrap().parse().unwrap();
    assert!(length > 50, "{head}");
    event = payload::event("health", "ask", "");
    event["routeKey"] = "GET /health".into();
    event["rawPath"] = "/health".into();
    assert_eq!(functions::call(&world, "health", event).await["status"], 200);
}

#[tokio::test]
async fn health_without_deep_makes_no_call_and_deep_needs_a_service_token() {
    let world = World::default();
    // The first call of any port would fail.
    world.fail_at(0, Moment::Before);
    let well = call(&world, "health", "ask").await;
    assert_eq!((&well["status"], &well["body"]["data"]), (&json!(200), &json!({ "status": "ok", "version": "0.1.0" })));
    assert!(world.fault_is_left());
    for token in [None, Some("Bearer wrong"), Some("Bearer ")] {
        let refused =
            functions::call(&world, "health", headed(payload::event("health", "deep", ""), "authorization", token))
                .await;
        assert_eq!(refusal(&refused), (401, "UNAUTHENTICATED"), "{token:?}");
    }
}

async fn deep(world: &World) -> Value {
    let event = payload::event("health", "deep", functions::SERVICE_TOKEN);
    payload::steady(&functions::call(world, "health", event).await)
}

#[tokio::test]
async fn deep_health_names_the_dependency_that_fails() {
    let world = World::default();
    insta::assert_json_snapshot!(deep(&world).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "All is well",
        "data": {
          "status": "ok",
          "version": "0.1.0",
          "checks": {
            "bucket": "ok",
            "table": "ok"
          },
          "degraded": []
        },
        "timestamp": "<time>"
      }
    }
    "#);
    world.fail_at(1, Moment::Before);
    insta::assert_json_snapshot!(deep(&world).await, @r#"
    {
      "status": 503,
      "headers": {
        "retry-after": "6"
      },
      "body": {
        "success": false,
        "error": {
          "code": "UNAVAILABLE",
          "message": "A part of the stack does not answer",
          "details": {
            "checks": {
              "bucket": "unreachable",
              "table": "ok"
            },
            "degraded": [
              "bucket"
            ]
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow() {
    insta::assert_json_snapshot!(call(&World::default(), "fallback", "unknown-path").await, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Route not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    insta::assert_json_snapshot!(call(&World::default(), "fallback", "wrong-method").await, @r#"
    {
      "status": 405,
      "headers": {
        "allow": "GET"
      },
      "body": {
        "success": false,
        "error": {
          "code": "METHOD_NOT_ALLOWED",
          "message": "POST is not allowed here; use GET"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_failed_dependency_is_503_without_details() {
    let world = world_with(&[ready(&pending())]);
    world.fail_at(0, Moment::Before);
    insta::assert_json_snapshot!(call(&world, "metadata", "one").await, @r#"
    {
      "status": 503,
      "headers": {
        "retry-after": "2"
      },
      "body": {
        "success": false,
        "error": {
          "code": "UNAVAILABLE",
          "message": "Please try again in a moment"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn without_a_credential_every_user_route_is_401_with_a_challenge() {
    for (function, case) in [
        ("presign", "plain"),
        ("presign", "secure"),
        ("upload-grant", "photo"),
        ("list", "plain"),
        ("list", "secure"),
        ("metadata", "one"),
        ("delete", "plain"),
        ("delete", "secure"),
        ("usage", "ask"),
        ("me", "ask"),
        ("job-list", "all"),
        ("job-list", "books"),
        ("job-list", "articles"),
    ] {
        let mut event = payload::event(function, case, "");
        event["headers"].as_object_mut().unwrap().remove("authorization");
        let answer = functions::call(&World::default(), function, event).await;
        assert_eq!(answer["status"], 401, "{function} {case}");
        assert_eq!(answer["headers"]["www-authenticate"], "Bearer");
        assert_eq!(answer["body"]["error"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn paths_match_whole_segments() {
    let methods = async |path: &str| {
        let mut event = payload::event("fallback", "wrong-method", "");
        event["rawPath"] = path.into();
        event["requestContext"]["http"]["method"] = "PATCH".into();
        let answer = functions::call(&World::default(), "fallback", event).await;
        answer["headers"]["allow"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(methods("/api/files/list").await, "GET");
    assert_eq!(methods("/api/secure/files/download/a/b.png").await, "GET");
    for unknown in ["", "/", "/api", "/api/files/list/", "/api/secure/files/download/", "/api/nothing"] {
        assert_eq!(methods(unknown).await, "", "{unknown:?}");
    }
}
