//! Keys on the deployed stack: issued, changed, rotated, revoked and deleted, with their entries in the audit log.

use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::stack::Stack;
use serde_json::{Value, json};

use super::{assert_field_refused, assert_refused, text};

async fn code(fixture: &OrgFixture<'_>, text: &str) -> String {
    let data = fixture.verify(text, &json!({ "cost": 0 }), None).await.json()["data"].clone();
    data["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_key_is_shown_once_and_later_only_its_prefix_and_hint() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let body = json!({
        "name": "Clé de l'été", "environment": "production", "scopes": ["pdf:read", "ai:write"], "daily_quota": null,
        "monthly_quota": 10_000, "expires_at": null,
    });
    let issue = async |body: &Value| {
        fixture.owner.call_with_headers("POST", &fixture.path("/keys"), body, &[("idempotency-key", "k 1")]).await
    };
    let issued = issue(&body).await;
    assert_eq!(issued.status, 201);
    let data = issued.json()["data"].clone();
    let key = text(&data, "key");
    assert!(key.starts_with("sk_live_") && key.len() == 51);
    assert_eq!((&data["prefix"], text(&data, "hint")), (&json!("sk_live"), key[47..].to_owned()));
    assert_eq!(issue(&body).await.json()["data"], data, "the retry");
    let other = json!({ "name": "Other", "environment": "production", "scopes": ["pdf:read"] });
    assert_refused(&issue(&other).await, 422, "IDEMPOTENCY_MISMATCH");

    for path in ["/keys", "/audit", "/usage", "/wallet", "/members"] {
        let answer = fixture.owner.call("GET", &fixture.path(path)).await;
        assert_eq!(answer.status, 200);
        assert!(!String::from_utf8_lossy(&answer.bytes).contains(&key[8..]), "{path} shows the key");
    }
    for function in ["key-issue", "key-verify"] {
        code(&fixture, &key).await;
        let lines = stack.log_lines(function, &key[8..]).await;
        assert!(lines.is_empty(), "the log of {function} has a key");
    }
    let listed = fixture.owner.call("GET", &fixture.path("/keys")).await.json();
    assert_eq!(listed["metadata"], json!({ "next_cursor": null, "total": 1 }));
    let row = &listed["data"][0];
    assert_eq!((&row["name"], &row["scopes"]), (&json!("Clé de l'été"), &json!(["ai:write", "pdf:read"])));
}

#[tokio::test]
async fn refusals_name_what_is_wrong() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let good = json!({ "name": "Key", "environment": "production", "scopes": ["pdf:read"] });
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("a\u{202e}b")),
        ("name", json!("x".repeat(101))),
        ("environment", json!("staging")),
        ("scopes", json!([])),
        ("scopes", json!(["pdf:all"])),
        ("daily_quota", json!(0)),
        ("daily_quota", json!(-1)),
        ("monthly_quota", json!(1.5)),
        ("monthly_quota", json!("10")),
        ("expires_at", json!("tomorrow")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("colour", json!("red")),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = fixture.owner.call_with("POST", &fixture.path("/keys"), &body).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", field);
    }
    assert_eq!(fixture.owner.call("GET", &fixture.path("/keys")).await.json()["data"], json!([]));
}

#[tokio::test]
async fn an_update_keeps_clears_or_sets_each_field() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({ "daily_quota": 5, "monthly_quota": 50 })).await;
    let patch = async |body: Value| fixture.change("PATCH", &key, "", &body).await;
    let changed = patch(json!({ "daily_quota": null, "scopes": ["ai:read"] })).await;
    let data = changed.json()["data"].clone();
    assert_eq!((changed.status, &data["daily_quota"], &data["monthly_quota"]), (200, &Value::Null, &json!(50)));
    assert_eq!((&data["scopes"], &data["name"]), (&json!(["ai:read"]), &json!("Key")));
    assert_field_refused(&patch(json!({ "name": null })).await, 400, "INVALID_REQUEST", "name");
    assert_refused(&patch(json!({})).await, 400, "INVALID_REQUEST");
    assert_field_refused(&patch(json!({ "key": "x" })).await, 400, "INVALID_REQUEST", "key");
    let scope = fixture.verify(&key.text, &json!({ "cost": 1, "scope": "pdf:read" }), None).await.json();
    assert_eq!(scope["data"]["code"], "INSUFFICIENT_SCOPE", "the change applies at once in all execution environments");
}

#[tokio::test]
async fn both_texts_of_a_rotated_key_share_its_quota_until_the_next_rotation() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let old = fixture.issue("production", &json!({ "daily_quota": 2 })).await;
    let path = fixture.path(&format!("/keys/{}/rotate", old.id));
    let rotate = async |body: Value, idempotent: &str| {
        fixture.owner.call_with_headers("POST", &path, &body, &[("idempotency-key", idempotent)]).await
    };
    let rotated = rotate(json!({ "grace_seconds": 3600 }), "r 1").await;
    assert_eq!(rotated.status, 201);
    let data = rotated.json()["data"].clone();
    let new = HeldKey { id: text(&data, "id"), text: text(&data, "key") };
    assert!(new.id == old.id && new.text != old.text && data["previous_valid_until"].is_string());
    assert_eq!(rotate(json!({ "grace_seconds": 3600 }), "r 1").await.json()["data"], data, "the retry");
    assert_refused(&rotate(json!({ "grace_seconds": 3600 }), "r 2").await, 409, "CONFLICT");
    let long = rotate(json!({ "grace_seconds": 2_592_001 }), "r 3").await;
    assert_field_refused(&long, 400, "INVALID_REQUEST", "grace_seconds");
    assert_eq!(
        (fixture.charge(&old, None).await["valid"].clone(), fixture.charge(&new, None).await["valid"].clone()),
        (json!(true), json!(true))
    );
    assert_eq!(fixture.charge(&new, None).await["code"], "DAILY_QUOTA_EXCEEDED");
    assert_eq!(fixture.charge(&old, None).await["code"], "DAILY_QUOTA_EXCEEDED");

    let sudden = fixture.issue("production", &json!({})).await;
    let replaced = fixture.change("POST", &sudden, "/rotate", &json!({ "grace_seconds": 0 })).await;
    assert_eq!(code(&fixture, &sudden.text).await, "EXPIRED");
    assert_eq!(code(&fixture, &text(&replaced.json()["data"], "key")).await, "VALID");
}

#[tokio::test]
async fn a_revoked_key_stays_revoked_and_a_deleted_key_is_gone() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let revoke = async |reason: &str| fixture.change("POST", &key, "/revoke", &json!({ "reason": reason })).await;
    assert_field_refused(&revoke("").await, 400, "INVALID_REQUEST", "reason");
    let first = revoke("leaked on a forum").await.json()["data"].clone();
    assert_eq!((&first["status"], &first["revoked_reason"]), (&json!("revoked"), &json!("leaked on a forum")));
    assert_eq!(revoke("again").await.json()["data"], first, "neither reason nor time may change");
    assert_refused(&fixture.change("PATCH", &key, "", &json!({ "name": "x" })).await, 409, "CONFLICT");
    assert_refused(&fixture.change("POST", &key, "/rotate", &json!({})).await, 409, "CONFLICT");
    assert_eq!(code(&fixture, &key.text).await, "REVOKED");
    let delete = async || fixture.owner.call("DELETE", &fixture.path(&format!("/keys/{}", key.id))).await;
    assert_eq!(delete().await.status, 200);
    assert_refused(&delete().await, 404, "NOT_FOUND");
    assert_eq!(code(&fixture, &key.text).await, "NOT_FOUND");
    assert_eq!(fixture.owner.call("GET", &fixture.path("/keys")).await.json()["data"], json!([]));

    let log = fixture.owner.call("GET", &fixture.path("/audit")).await.json();
    let done: Vec<&str> =
        log["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["key.deleted", "key.revoked", "key.issued", "credits.granted", "org.created"]);
    let revoked = &log["data"][1];
    assert_eq!((text(revoked, "actor"), text(revoked, "subject")), (fixture.owner.id.clone(), key.id));
    assert_eq!(
        (text(revoked, "ip"), &revoked["details"]["reason"]),
        ("127.0.0.1".to_owned(), &json!("leaked on a forum"))
    );
}

#[tokio::test]
async fn an_organisation_is_visible_to_its_members_only() {
    let stack = Stack::find();
    let ann = stack.newcomer("free");
    let found = async |name: &str, idempotent: &str| {
        ann.call_with_headers("POST", "/api/orgs", &json!({ "name": name }), &[("idempotency-key", idempotent)]).await
    };
    let acme = found("Société d'Été", "o 1").await;
    assert_eq!(acme.status, 201);
    let acme = acme.json()["data"].clone();
    assert!(text(&acme, "slug").starts_with("societe-d-ete-") && acme["role"] == "owner");
    assert_eq!(found("Société d'Été", "o 1").await.json()["data"], acme);
    assert_refused(&found("Other", "o 1").await, 422, "IDEMPOTENCY_MISMATCH");
    assert_field_refused(&found("", "o 2").await, 400, "INVALID_REQUEST", "name");
    let listed = consigne_testkit::stack::until(async || {
        let page = ann.call("GET", "/api/orgs").await.json();
        (page["metadata"]["total"] == 1).then_some(page)
    });
    assert_eq!(listed.await.unwrap()["data"], json!([acme]));
    assert_eq!(stack.newcomer("free").call("GET", "/api/orgs").await.json()["data"], json!([]));
    let services = ann.call("GET", "/api/services").await.json();
    let prices: Vec<(&str, u64)> = services["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| (service["name"].as_str().unwrap(), service["base_cost_per_call"].as_u64().unwrap()))
        .collect();
    assert_eq!(prices, [("pdf", 1), ("ai", 3), ("mileage", 1)]);
}
