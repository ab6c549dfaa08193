//! The gateway on the deployed stack, with a service that accepts only calls with the gateway's signature.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::orgs::OrgRole;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::stack::{Stack, fresh_user, until};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{assert_refused, text};

/// Calls a service with a key.
async fn call(stack: &Stack, key: &HeldKey, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Response {
    let bearer = format!("Bearer {}", key.text);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend_from_slice(more);
    stack.call(method, &format!("/api/v1/pdf{path}"), &headers, body).await
}

async fn get(stack: &Stack, key: &HeldKey, path: &str) -> Response {
    call(stack, key, "GET", path, &[], b"").await
}

/// Returns balance, held and used credits.
async fn numbers(fixture: &OrgFixture<'_>) -> Value {
    let wallet = fixture.wallet().await;
    json!([wallet["balance"], wallet["held"], wallet["total_used"]])
}

/// Returns a new path, so that its calls can be counted.
fn fresh_path() -> String {
    format!("/{}", fresh_user())
}

/// Returns how often the service was called at a path.
async fn arrived(stack: &Stack, path: &str) -> Value {
    let url = format!("{}/_calls/pdf{path}", stack.name("UPSTREAM_URL"));
    stack.client.send("GET", &url, &[], Vec::new()).await.json()["calls"].clone()
}

/// Waits until the usage log has so many rows. Returns them, newest first.
async fn log(fixture: &OrgFixture<'_>, rows: usize) -> Vec<Value> {
    let log = until(async || {
        let log = fixture.owner.call("GET", &fixture.path("/usage")).await.json();
        log["data"].as_array().filter(|data| data.len() == rows).cloned()
    });
    log.await.expect("the usage log must have the calls")
}

/// Waits until the usage log has so many rows. Returns the newest.
async fn usage(fixture: &OrgFixture<'_>, rows: usize) -> Value {
    log(fixture, rows).await.swap_remove(0)
}

/// Asserts the status and the credits of a row in the usage log.
fn assert_logged(row: &Value, status: u16, credits: u64) {
    assert_eq!((&row["status_code"], &row["credits"]), (&json!(status), &json!(credits)), "{row}");
    assert_eq!((&row["service"], &row["ip"]), (&json!("pdf"), &json!("127.0.0.1")), "{row}");
    assert!(row["response_ms"].is_u64() && row["endpoint"].as_str().unwrap().starts_with("/api/v1/pdf/"), "{row}");
}

#[tokio::test]
async fn a_call_is_answered_by_its_service_charged_and_logged() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let answer =
        call(&stack, &key, "POST", "/a%20b/c?x=%26&y", &[("content-type", "application/pdf")], b"\x00\xff").await;
    assert_eq!((answer.status, answer.header("x-credits-remaining")), (200, "9"), "{}", answer.json());
    let echo = answer.json();
    assert_eq!(
        (&echo["method"], &echo["path"], &echo["query"]),
        (&json!("POST"), &json!("/pdf/a%20b/c"), &json!("x=%26&y"))
    );
    assert_eq!(STANDARD.decode(echo["body_base64"].as_str().unwrap()).unwrap(), b"\x00\xff");
    assert_eq!(numbers(&fixture).await, json!([9, 0, 1]));
    let row = usage(&fixture, 1).await;
    assert_logged(&row, 200, 1);
    assert_eq!((&row["method"], &row["endpoint"]), (&json!("POST"), &json!("/api/v1/pdf/a b/c")));
}

#[tokio::test]
async fn a_service_gets_the_callers_identity_from_the_gateway_and_never_the_key() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let headers = [
        ("x-consigne-org", "org_of_somebody_else"),
        ("x_consigne_key", "key_of_somebody_else"),
        ("cookie", "__session=t"),
        ("x-forwarded-for", "8.8.8.8"),
        ("forwarded", "for=8.8.8.8"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic dTpw"),
        ("referer", &format!("https://a.example/{}", key.text)),
        ("x-trace", "kept"),
    ];
    let echo = call(&stack, &key, "GET", &format!("/who?k={}&a=1", key.text), &headers, b"").await.json();
    let text = echo.to_string();
    assert!(!text.contains(&key.text) && !text.contains("somebody_else") && !text.contains("8.8.8.8"), "{text}");
    let header = |name: &str| {
        let found = echo["headers"].as_array().unwrap().iter().filter(|pair| pair[0] == name);
        let found: Vec<&str> = found.map(|pair| pair[1].as_str().unwrap()).collect();
        found.join(" and ")
    };
    for gone in ["authorization", "x-api-key", "cookie", "te", "proxy-authorization", "forwarded", "x-forwarded-for"] {
        assert_eq!(header(gone), "", "{gone}");
    }
    assert_eq!((echo["query"].as_str(), header("x-trace").as_str()), (Some("a=1"), "kept"));
    assert_eq!((header("x-consigne-org"), header("x-consigne-key")), (fixture.org.clone(), key.id.clone()));
    assert_eq!((header("x-consigne-service"), header("x-consigne-credits")), ("pdf".to_owned(), "1".to_owned()));
    assert_eq!(header("host"), stack.name("UPSTREAM_URL").trim_start_matches("http://"));
}

#[tokio::test]
async fn a_service_refuses_calls_without_the_gateways_signature() {
    let stack = Stack::find();
    let (path, url) = (fresh_path(), format!("{}/pdf", stack.name("UPSTREAM_URL")));
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let echo = get(&stack, &key, &path).await.json();
    let signed: Vec<(&str, &str)> = echo["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
        .filter(|(name, _)| name.starts_with("x-consigne-"))
        .collect();
    assert_eq!(signed.len(), 9);
    let past = async |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        stack.client.send(method, &format!("{url}{path}"), headers, body.to_vec()).await.status
    };
    assert_eq!(past("GET", &path, &[], b"").await, 401, "unsigned");
    assert_eq!(past("GET", &path, &signed, b"").await, 200, "the original signed call must be accepted");
    assert_eq!(past("POST", &path, &signed, b"").await, 401, "another method");
    assert_eq!(past("GET", &format!("{path}x"), &signed, b"").await, 401, "another path");
    assert_eq!(past("GET", &format!("{path}?x=1"), &signed, b"").await, 401, "another query");
    assert_eq!(past("GET", &path, &signed, b"x").await, 401, "another body");
    for at in 0..signed.len() {
        let mut altered = signed.clone();
        let (name, value) = altered.remove(at);
        assert_eq!(past("GET", &path, &altered, b"").await, 401, "without {name}");
        let other = format!("{value}0");
        altered.push((name, &other));
        assert_eq!(past("GET", &path, &altered, b"").await, 401, "another {name}");
    }
    assert_eq!(arrived(&stack, &path).await, 2);
}

#[tokio::test]
async fn a_refused_key_reaches_no_service() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 2).await;
    let path = fresh_path();
    let reader = fixture.issue("production", &json!({ "scopes": ["pdf:read"] })).await;
    assert_refused(&call(&stack, &reader, "POST", &path, &[], b"").await, 403, "INSUFFICIENT_SCOPE");
    let by_header = [("x-api-key", reader.text.as_str())];
    let url = format!("/api/v1/pdf{path}");
    assert_eq!(stack.call("GET", &url, &by_header, b"").await.status, 200, "the key in the other header");
    let other = stack.call("GET", "/api/v1/ai/x", &by_header, b"").await;
    assert_refused(&other, 403, "INSUFFICIENT_SCOPE");
    assert_refused(&stack.call("GET", "/api/v1/fax/x", &by_header, b"").await, 404, "SERVICE_UNKNOWN");
    assert_refused(&stack.call("GET", "/api/v1/mileage/x", &by_header, b"").await, 503, "SERVICE_UNAVAILABLE");
    assert_refused(&stack.call("GET", &url, &[], b"").await, 401, "UNAUTHENTICATED");
    let session = format!("Bearer {}", fixture.owner.token);
    assert_refused(&stack.call("GET", &url, &[("authorization", &session)], b"").await, 401, "UNAUTHENTICATED");
    assert_eq!(get(&stack, &reader, &path).await.status, 200);
    assert_refused(&get(&stack, &reader, &path).await, 402, "INSUFFICIENT_CREDITS");
    fixture.grant_credits(5).await;
    let revoked = fixture.change("POST", &reader, "/revoke", &json!({ "reason": "leaked" })).await;
    assert_eq!(revoked.status, 200);
    let refused = get(&stack, &reader, &path).await;
    assert_refused(&refused, 401, "UNAUTHENTICATED");
    assert_eq!(refused.json()["error"]["details"]["code"], "REVOKED");
    assert_eq!((arrived(&stack, &path).await, numbers(&fixture).await), (json!(2), json!([5, 0, 2])));
}

#[tokio::test]
async fn a_call_is_not_charged_if_the_service_fails() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let cases = [
        ("status=500", 502, "UPSTREAM_FAILED", "status"),
        ("status=503", 502, "UPSTREAM_FAILED", "status"),
        ("fault=close", 502, "UPSTREAM_FAILED", "malformed"),
        ("fault=junk", 502, "UPSTREAM_FAILED", "malformed"),
        ("fault=short", 502, "UPSTREAM_FAILED", "malformed"),
        ("size=4194305", 502, "UPSTREAM_FAILED", "too_large"),
        ("delay_ms=21000", 504, "UPSTREAM_TIMEOUT", ""),
    ];
    let asked = cases.map(|(how, ..)| {
        let (path, stack, key) = (fresh_path(), &stack, &key);
        async move { (get(stack, key, &format!("{path}?{how}")).await, arrived(stack, &path).await) }
    });
    for ((how, status, code, reason), (answer, calls)) in cases.into_iter().zip(join_all(asked).await) {
        assert_refused(&answer, status, code);
        assert_eq!(answer.json()["error"]["details"]["reason"].as_str().unwrap_or_default(), reason, "{how}");
        assert_eq!(calls, 1, "{how}: asked once");
    }
    assert_eq!(numbers(&fixture).await, json!([10, 0, 0]));
    // The log is ordered by start time, and these calls started together. A status from the service is logged
    // unchanged.
    let mut logged = log(&fixture, cases.len()).await;
    logged.sort_by_key(|row| row["status_code"].as_u64());
    for (row, status) in logged.iter().zip([500, 502, 502, 502, 502, 503, 504]) {
        assert_logged(row, status, 0);
    }
}

#[tokio::test]
async fn a_callers_mistake_is_charged_and_a_redirect_is_passed_on() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    for (n, status) in [404_u16, 429, 302, 304, 204].into_iter().enumerate() {
        let answer = get(&stack, &key, &format!("/x?status={status}&location=http://elsewhere.example/%3Fa")).await;
        assert_eq!((answer.status, answer.header("location")), (status, "http://elsewhere.example/?a"));
        assert_eq!(numbers(&fixture).await, json!([9 - n, 0, n + 1]));
    }
    let answer = get(&stack, &key, "/x?header=Set-Cookie:__session%3Dt").await;
    assert_eq!(
        (answer.header("set-cookie"), answer.header("x-of-this-hop")),
        ("", ""),
        "neither hop-by-hop nor CORS headers"
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test]
async fn bodies_pass_up_to_the_size_limit() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let most = 4 * 1024 * 1024;
    let path = fresh_path();
    let answer = get(&stack, &key, &format!("{path}?size={most}")).await;
    assert_eq!((answer.status, answer.bytes == vec![0xff; most]), (200, true));
    let binary = [("content-type", "application/octet-stream")];
    let large = call(&stack, &key, "PUT", &format!("{path}?size=1"), &binary, &vec![0xfe; most]).await;
    assert_eq!((large.status, large.bytes.as_slice()), (200, &[0xff][..]));
    let larger = call(&stack, &key, "PUT", &path, &binary, &vec![0xfe; most + 1]).await;
    assert_refused(&larger, 413, "BODY_TOO_LARGE");
    assert_eq!((arrived(&stack, &path).await, numbers(&fixture).await), (json!(2), json!([8, 0, 2])));
}

#[tokio::test]
async fn no_path_leaves_the_services_base_path() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    for path in
        ["/a/%2e%2e/%2e%2e/ai/x", "/..%2f..%2fai/x", "/%252e%252e/x", "/a//b", "/..%5cx", "/..;/x", "/a%00", "/a%3fb"]
    {
        assert_refused(&get(&stack, &key, path).await, 400, "INVALID_REQUEST");
    }
    assert_eq!(numbers(&fixture).await, json!([10, 0, 0]));
}

#[tokio::test]
async fn concurrent_calls_with_one_idempotency_key_are_made_once() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    let path = fresh_path();
    let idempotent = [("idempotency-key", "render 17")];
    let url = format!("{path}?delay_ms=300");
    let all = join_all((0..6).map(|_| call(&stack, &key, "POST", &url, &idempotent, b"a"))).await;
    let (made, others): (Vec<_>, Vec<_>) = all.iter().partition(|answer| answer.status == 200);
    assert_eq!(made.len(), 1, "{:?}", all.iter().map(Response::code).collect::<Vec<_>>());
    assert!(
        others.iter().all(|answer| ["IDEMPOTENCY_IN_FLIGHT", "ALREADY_ANSWERED"].contains(&answer.code().as_str()))
    );
    let again = call(&stack, &key, "POST", &url, &idempotent, b"a").await;
    assert_refused(&again, 409, "ALREADY_ANSWERED");
    let details = again.json()["error"]["details"].clone();
    assert_eq!(
        (&details["outcome"], &details["credits"], &details["status_code"]),
        (&json!("settled"), &json!(1), &json!(200))
    );
    assert_refused(&call(&stack, &key, "POST", &url, &idempotent, b"b").await, 422, "IDEMPOTENCY_MISMATCH");
    assert_eq!((arrived(&stack, &path).await, numbers(&fixture).await), (json!(1), json!([9, 0, 1])));
}

#[tokio::test]
async fn forty_concurrent_calls_are_made_only_as_often_as_credits_allow() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 25).await;
    let key = fixture.issue("production", &json!({})).await;
    let path = fresh_path();
    let all = join_all((0..40).map(|_| get(&stack, &key, &path))).await;
    let count = |status: u16| all.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(402)), (25, 15), "{:?}", all.iter().map(|answer| answer.status).collect::<Vec<_>>());
    assert_eq!((arrived(&stack, &path).await, numbers(&fixture).await), (json!(25), json!([0, 0, 25])));
}

#[tokio::test]
async fn a_test_key_pays_with_test_credits() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("test", &json!({})).await;
    let answer = get(&stack, &key, "/x").await;
    assert_eq!((answer.status, answer.header("x-credits-remaining")), (200, "99"));
    let wallet = fixture.wallet().await;
    assert_eq!((&wallet["balance"], &wallet["test"]["balance"]), (&json!(10), &json!(99)));
}

#[tokio::test]
async fn test_keys_of_a_member_who_has_left_pay_with_the_credits_of_an_owner() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let admin = fixture.add_member(OrgRole::Admin).await;
    let body = json!({ "name": "Key", "environment": "test", "scopes": ["pdf:read", "pdf:write"] });
    let mut keys = Vec::new();
    for _ in 0..2 {
        let issued = admin.call_with("POST", &fixture.path("/keys"), &body).await;
        assert_eq!(issued.status, 201, "{}", issued.json());
        let data = issued.json()["data"].clone();
        keys.push(HeldKey { id: text(&data, "id"), text: text(&data, "key") });
    }
    let removed = fixture.owner.call("DELETE", &fixture.path(&format!("/members/{}", admin.id))).await;
    assert_eq!(removed.status, 200, "{}", removed.json());
    assert_eq!(get(&stack, &keys[0], "/x").await.status, 200);
    let ask = json!({ "key": keys[1].text, "amount": 30, "service": "pdf", "ttl_seconds": 600 });
    let opened = stack.serve("/api/credits/holds", &ask, None).await;
    assert_eq!(opened.status, 201, "{}", opened.json());
    let wallet = fixture.wallet().await;
    assert_eq!((&wallet["balance"], &wallet["test"]["balance"]), (&json!(10), &json!(69)));
}

#[tokio::test]
async fn a_call_needs_three_aws_calls() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let key = fixture.issue("production", &json!({})).await;
    for _ in 0..3 {
        assert_eq!(get(&stack, &key, "/x").await.status, 200);
    }
    let lines = until(async || {
        let lines = stack.log_lines("gateway", &key.id).await;
        (lines.len() == 3).then_some(lines)
    });
    let lines = lines.await.expect("each call has a log line");
    let calls = lines.iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(!line.to_string().contains(&key.text), "no log line has a key");
        line["aws.calls"].as_u64().unwrap()
    });
    // The first use of a key needs one more read, and so may a wallet near an alert threshold.
    assert_eq!(calls.min(), Some(3));
}
