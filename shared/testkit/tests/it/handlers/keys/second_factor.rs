//! Installations that require a second factor for changes that hand out power over production.

use consigne_core::keys::{ApiKey, KeyMode};
use consigne_runtime::{Start, clock};
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, Fakes};
use consigne_testkit::payload;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{KEY_ID, acme, put_key, refusal, saying};

/// Starts functions in an installation that requires the second factor.
fn strict(world: &World) -> Start<Fakes> {
    Fakes::start_with(world, &SimClock::at(clock::now()), [("REQUIRE_SECOND_FACTOR", "true")])
}

/// Calls a function as Ann, with the claim `fva`, which null leaves out.
async fn asked(world: &World, function: &str, case: &str, fva: &Value, body: Option<&Value>) -> Value {
    let token = functions::issuer().token_with("user_ann1", &json!({ "fva": fva }));
    let mut event = payload::event(function, case, &token);
    if let Some(body) = body {
        event = saying(event, body);
    }
    functions::call_started(&strict(world), function, event).await
}

/// Creates Acme with the key of the payloads, which may read and write PDF, 100 calls a day.
fn with_key(environment: KeyMode) -> World {
    let world = acme();
    let quotas =
        |key: &mut ApiKey| (key.minute_quota, key.daily_quota, key.monthly_quota) = (Some(10), Some(100), None);
    put_key(&world, KEY_ID, environment, quotas);
    world
}

const STALE: [Option<[i64; 2]>; 3] = [None, Some([0, -1]), Some([0, 10])];

#[tokio::test]
async fn issuing_and_rotating_production_keys_needs_a_recent_second_factor() {
    for (function, case) in [("key-issue", "production"), ("key-rotate", "with-grace-and-key")] {
        for fva in STALE {
            let world = with_key(KeyMode::Production);
            let before = world.state();
            let refused = asked(&world, function, case, &json!(fva), None).await;
            assert_eq!(refusal(&refused), (403, "SECOND_FACTOR_REQUIRED"), "{function} {fva:?}");
            assert_eq!(refused["body"]["error"]["details"], json!({ "within_minutes": 10 }));
            assert_eq!(world.state(), before, "{function} {fva:?}");
        }
        let world = with_key(KeyMode::Production);
        assert_eq!(asked(&world, function, case, &json!([70, 9]), None).await["status"], 201, "{function}");
        // A retry shows the key's text again, so it needs the factor too.
        let retried = asked(&world, function, case, &Value::Null, None).await;
        assert_eq!(refusal(&retried), (403, "SECOND_FACTOR_REQUIRED"), "{function}");
    }
}

#[tokio::test]
async fn test_keys_need_no_second_factor() {
    for (function, case) in [("key-issue", "test"), ("key-rotate", "with-grace-and-key")] {
        let answer = asked(&with_key(KeyMode::Test), function, case, &Value::Null, None).await;
        assert_eq!(answer["status"], 201, "{answer}");
    }
    let wider = json!({ "daily_quota": null });
    let answer = asked(&with_key(KeyMode::Test), "key-update", "limits", &Value::Null, Some(&wider)).await;
    assert_eq!(answer["status"], 200, "{answer}");
}

#[tokio::test]
async fn only_what_widens_scopes_or_quotas_needs_a_second_factor() {
    for wider in [
        json!({ "scopes": ["pdf:read", "pdf:write", "ai:read"] }),
        json!({ "scopes": ["ai:read"] }),
        json!({ "daily_quota": 101 }),
        json!({ "daily_quota": null }),
        json!({ "minute_quota": 11 }),
        json!({ "minute_quota": null, "daily_quota": 1 }),
        json!({ "name": "Renamed", "scopes": ["pdf:read"], "daily_quota": 1_000 }),
    ] {
        for fva in STALE {
            let world = with_key(KeyMode::Production);
            let before = world.state();
            let refused = asked(&world, "key-update", "limits", &json!(fva), Some(&wider)).await;
            assert_eq!(refusal(&refused), (403, "SECOND_FACTOR_REQUIRED"), "{wider} {fva:?}");
            assert_eq!(world.state(), before, "{wider}");
        }
        let world = with_key(KeyMode::Production);
        let answer = asked(&world, "key-update", "limits", &json!([0, 0]), Some(&wider)).await;
        assert_eq!(answer["status"], 200, "{answer}");
    }
    for narrower in [
        json!({ "scopes": ["pdf:read"] }),
        json!({ "scopes": ["pdf:write", "pdf:read"] }),
        json!({ "daily_quota": 100, "minute_quota": 9 }),
        json!({ "monthly_quota": 5 }),
        json!({ "monthly_quota": null }),
        json!({ "name": "Renamed" }),
    ] {
        let world = with_key(KeyMode::Production);
        let answer = asked(&world, "key-update", "limits", &Value::Null, Some(&narrower)).await;
        assert_eq!(answer["status"], 200, "{narrower}: {answer}");
    }
}

#[tokio::test]
async fn other_changes_and_other_installations_need_none() {
    for (function, case, status) in [("key-revoke", "leaked", 200), ("key-delete", "one", 200)] {
        let answer = asked(&with_key(KeyMode::Production), function, case, &Value::Null, None).await;
        assert_eq!(answer["status"], status, "{function}");
    }
    let token = functions::issuer().token("user_ann1", "free");
    let event = payload::event("key-issue", "production", &token);
    assert_eq!(functions::call(&acme(), "key-issue", event).await["status"], 201);
}
