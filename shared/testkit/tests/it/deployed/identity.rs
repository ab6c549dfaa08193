//! Authentication of callers on the deployed stack.

use consigne_runtime::clock;
use consigne_testkit::http::Response;
use consigne_testkit::stack::{Stack, fresh_user};
use consigne_testkit::tokens::Issuer;
use serde_json::{Value, json};

use super::assert_refused;

const LIST: &str = "/api/files/list";

async fn with_token(stack: &Stack, token: &str) -> Response {
    stack.call("GET", LIST, &[("authorization", &format!("Bearer {token}"))], b"").await
}

/// Makes a call with a valid token in which some claims were changed.
async fn with_claims(stack: &Stack, changes: Value) -> Response {
    with_token(stack, &stack.issuer.token_with(&fresh_user(), &changes)).await
}

#[tokio::test]
async fn every_user_route_refuses_requests_without_credentials() {
    let stack = Stack::find();
    for (method, path) in [
        ("POST", "/api/files/presigned-url"),
        ("GET", "/api/secure/files/download/user_a/images/x"),
        ("POST", "/api/files/uploads"),
        ("GET", "/api/files/list"),
        ("GET", "/api/secure/files/list"),
        ("GET", "/api/files/metadata?s3Key=x"),
        ("DELETE", "/api/files/delete"),
        ("DELETE", "/api/secure/files/delete/user_a/images/x"),
        ("GET", "/api/files/usage"),
    ] {
        let response = stack.call(method, path, &[("content-type", "application/json")], b"{}").await;
        assert_refused(&response, 401, "UNAUTHENTICATED");
        assert_eq!(response.header("www-authenticate"), "Bearer", "{method} {path}");
    }
}

#[tokio::test]
async fn a_token_is_accepted_in_every_header_and_cookie() {
    let stack = Stack::find();
    let token = stack.issuer.token(&fresh_user(), "free");
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("authorization", format!("bearer {token}")),
        ("authorization", token.clone()),
        ("x-clerk-auth-token", token.clone()),
        ("cookie", format!("theme=dark; __session={token}")),
        ("cookie", format!("__session_Ab12cD34={token}")),
    ] {
        let response = stack.call("GET", LIST, &[(name, &value)], b"").await;
        assert_eq!(response.status, 200, "{name}: {}", response.json());
    }
}

#[tokio::test]
async fn the_first_header_or_cookie_with_a_token_counts() {
    let stack = Stack::find();
    let token = stack.issuer.token(&fresh_user(), "free");
    let cookie = format!("__session={token}");
    let response = stack.call("GET", LIST, &[("authorization", "Bearer nonsense"), ("cookie", &cookie)], b"").await;
    assert_refused(&response, 401, "UNAUTHENTICATED");
    let response = stack.call("GET", LIST, &[("x-clerk-auth-token", "nonsense"), ("cookie", &cookie)], b"").await;
    assert_refused(&response, 401, "UNAUTHENTICATED");
}

/// Makes a call with claims from the current second. Repeats it if the second ended before the answer came.
async fn within_a_second(stack: &Stack, claims: impl Fn(i64) -> Value) -> Response {
    for _ in 0..10 {
        let now = clock::now().as_secs();
        let response = with_claims(stack, claims(now)).await;
        if clock::now().as_secs() == now {
            return response;
        }
    }
    panic!("no call was answered within the second in which it began")
}

#[tokio::test]
async fn clocks_may_differ_by_five_seconds() {
    let stack = Stack::find();
    // The first call may be slow, because it starts the function.
    assert_eq!(with_claims(&stack, json!({})).await.status, 200);
    assert_eq!(within_a_second(&stack, |now| json!({"exp": now - 4})).await.status, 200);
    let late = within_a_second(&stack, |now| json!({"exp": now - 6})).await;
    assert_refused(&late, 401, "TOKEN_EXPIRED");
    assert_eq!(within_a_second(&stack, |now| json!({"nbf": now + 4})).await.status, 200);
    let early = within_a_second(&stack, |now| json!({"nbf": now + 6})).await;
    assert_refused(&early, 401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_of_another_application_issuer_or_stage_is_refused() {
    let stack = Stack::find();
    let azp = stack.issuer.azp.clone();
    for changes in [
        json!({"azp": "https://elsewhere.example"}),
        json!({"azp": format!("{azp}.evil.example")}),
        json!({"azp": null}),
        json!({"iss": "https://issuer.elsewhere.example"}),
        json!({"iss": format!("{}/", stack.issuer.iss)}),
        json!({"sts": "pending"}),
        json!({"exp": null}),
        json!({"sub": "user_a/../user_b"}),
        json!({"sub": "admin"}),
    ] {
        let response = with_claims(&stack, changes.clone()).await;
        assert_refused(&response, 401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn unsigned_tokens_wrong_algorithms_and_foreign_signatures_are_refused() {
    let stack = Stack::find();
    let good = stack.issuer.token(&fresh_user(), "enterprise");
    let payload = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let empty_signature = format!("{}.", good.rsplit_once('.').unwrap().0);
    let mut stranger = Issuer::fresh(&stack.issuer.kid);
    (stranger.iss, stranger.azp) = (stack.issuer.iss.clone(), stack.issuer.azp.clone());
    let forged = stranger.token(&fresh_user(), "enterprise");
    for token in [none, empty_signature, forged, "a.b.c".to_owned(), "x".repeat(20_000)] {
        assert_refused(&with_token(&stack, &token).await, 401, "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn an_api_key_is_not_accepted_as_a_session_token() {
    let stack = Stack::find();
    let key = format!("sk_live_{}", "a".repeat(43));
    assert_refused(&with_token(&stack, &key).await, 401, "API_KEY_NOT_ACCEPTED");
}

#[tokio::test]
async fn a_write_by_cookie_needs_an_allowed_origin() {
    let stack = Stack::find();
    let cookie = format!("__session={}", stack.issuer.token(&fresh_user(), "free"));
    let body = br#"{"filename": "a.png", "contentType": "image/png", "size": 10}"#;
    let with = async |origin: &[(&str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str()), ("content-type", "application/json")];
        headers.extend_from_slice(origin);
        stack.call("POST", "/api/files/uploads", &headers, body).await
    };
    assert_refused(&with(&[]).await, 403, "ORIGIN_NOT_ALLOWED");
    assert_refused(&with(&[("origin", "https://evil.example")]).await, 403, "ORIGIN_NOT_ALLOWED");
    assert_refused(&with(&[("origin", "null")]).await, 403, "ORIGIN_NOT_ALLOWED");
    assert_eq!(with(&[("origin", &stack.issuer.azp)]).await.status, 201);
}

#[tokio::test]
async fn the_plan_is_read_from_both_token_formats_and_defaults_to_free() {
    let stack = Stack::find();
    for (claims, plan) in [
        (json!({}), "free"),
        (json!({"public_metadata": {"subscription": "pro"}}), "pro"),
        (json!({"public_metadata": {"subscription": "platinum"}}), "free"),
        (json!({"v": 2, "pla": "u:basic"}), "basic"),
        (json!({"v": 2, "pla": "o:premium,u:pro"}), "premium"),
        (json!({"public_metadata": {"subscription": ["enterprise"]}}), "free"),
    ] {
        let token = stack.issuer.token_with(&fresh_user(), &claims);
        let bearer = format!("Bearer {token}");
        let usage = stack.call("GET", "/api/files/usage", &[("authorization", &bearer)], b"").await.json();
        assert_eq!(usage["plan"], plan, "{claims}");
    }
}
