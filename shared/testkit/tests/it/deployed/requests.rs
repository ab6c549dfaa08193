//! Invalid requests on the deployed stack get a refusal that names what is wrong, and never a 5xx.

use consigne_testkit::stack::Stack;
use serde_json::json;

use super::{assert_field_refused, assert_refused};

const UPLOADS: &str = "/api/files/uploads";

#[tokio::test]
async fn a_body_must_be_json_of_the_right_type_and_size() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let bearer = format!("Bearer {}", ann.token);
    let send = async |content_type: &str, body: &[u8]| {
        let mut headers = vec![("authorization", bearer.as_str())];
        if !content_type.is_empty() {
            headers.push(("content-type", content_type));
        }
        stack.call("POST", UPLOADS, &headers, body).await
    };
    let good = br#"{"filename": "a.png", "contentType": "image/png", "size": 10}"#;
    assert_eq!(send("application/json; charset=utf-8", good).await.status, 201);
    for content_type in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        assert_refused(&send(content_type, good).await, 415, "UNSUPPORTED_MEDIA_TYPE");
    }
    let malformed = send("application/json", b"{\"filename\": \"a.png\",\n \"size\": }").await;
    assert_refused(&malformed, 400, "INVALID_REQUEST");
    assert_eq!(malformed.json()["error"]["details"], json!({"line": 2, "column": 10}));
    for bad in [&b""[..], b"null", b"[]", b"7", b"\"x\"", b"{", b"\xff\xfe", b"{}{}"] {
        assert_refused(&send("application/json", bad).await, 400, "INVALID_REQUEST");
    }
    let huge = format!(r#"{{"filename": "{}", "contentType": "image/png", "size": 10}}"#, "x".repeat(100_000));
    assert_refused(&send("application/json", huge.as_bytes()).await, 413, "BODY_TOO_LARGE");
    let deep = "[".repeat(60_000);
    assert_refused(&send("application/json", deep.as_bytes()).await, 400, "INVALID_REQUEST");
}

#[tokio::test]
async fn unknown_fields_are_refused_by_name() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let grant = json!({"filename": "a.png", "contentType": "image/png", "size": 10, "s3Key": "user_b/images/x"});
    assert_field_refused(&ann.call_with("POST", UPLOADS, &grant).await, 400, "INVALID_REQUEST", "s3Key");
    let ticket = json!({"s3Key": "x", "userId": "user_b"});
    let refused = ann.call_with("POST", "/api/files/presigned-url", &ticket).await;
    assert_field_refused(&refused, 400, "INVALID_REQUEST", "userId");
    let delete = json!({"s3Key": "x", "force": true});
    assert_field_refused(&ann.call_with("DELETE", "/api/files/delete", &delete).await, 400, "INVALID_REQUEST", "force");
}

#[tokio::test]
async fn unknown_routes_are_404_and_wrong_methods_405_with_allow() {
    let stack = Stack::find();
    for path in ["/", "/api", "/api/files", "/api/files/list/", "/api/orders/x/y", "/favicon.ico", "/api/files/liste"] {
        assert_refused(&stack.call("GET", path, &[], b"").await, 404, "NOT_FOUND");
    }
    for (method, path, allow) in [
        ("POST", "/api/files/list", "GET"),
        ("GET", "/api/files/uploads", "POST"),
        ("PUT", "/api/secure/files/download/a/b", "GET"),
        ("PATCH", "/api/files/delete", "DELETE"),
        ("DELETE", "/api/health", "GET, HEAD"),
    ] {
        let response = stack.call(method, path, &[], b"").await;
        assert_refused(&response, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(response.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn hostile_paths_and_queries_are_never_a_5xx() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    for path in [
        "/api/secure/files/download/%00",
        "/api/secure/files/download/%ff%fe",
        "/api/secure/files/download/..%2f..%2fetc%2fpasswd",
        "/api/secure/files/download/%2e%2e/%2e%2e/x",
        "/api/secure/files/download/%252e%252e%252f",
        "/api/secure/files/download/a%20b%0d%0aX-Evil:%201",
        "/api/secure/files/download/%F0%9F%98%80%E2%80%AE",
        "/api/secure/files/download/%25",
        "/api/secure/files/download/a%3Fb%23c",
        "/api/secure/files/download///",
        "/api/secure/files/download/%5C%5Chost%5Cshare",
        "/api/secure/files/download/%3Cscript%3E%22%7C%7B%7D%5E%60",
    ] {
        let response = ann.call("GET", path).await;
        assert_eq!(response.status, 404, "{path}: {}", response.json());
    }
    for query in ["s3Key=%00", "s3Key=%ff", "s3Key=a&s3Key=b", "s3Key=", "", "s3Key=%2e%2e%2f", "&&&=&=", "s3Key=%"] {
        let response = ann.call("GET", &format!("/api/files/metadata?{query}")).await;
        assert!([400, 404].contains(&response.status), "{query}: {} {}", response.status, response.json());
    }
    for query in ["limit=1e3", "limit=%00", "cursor=%ff", "cursor=AAAA", "status=%F0%9F%98%80"] {
        let response = ann.call("GET", &format!("/api/files/list?{query}")).await;
        assert_eq!(response.status, 400, "{query}: {}", response.json());
    }
    let odd = [("x-odd", "caf\u{e9}"), ("accept", "*/*"), ("x-forwarded-for", "' OR 1=1 --")];
    let bearer = format!("Bearer {}", ann.token);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend_from_slice(&odd);
    assert_eq!(stack.call("GET", "/api/files/usage", &headers, b"").await.status, 200);
}

#[tokio::test]
async fn a_signed_url_needs_a_valid_key_and_duration() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let ask = async |body| ann.call_with("POST", "/api/files/presigned-url", &body).await;
    assert_field_refused(&ask(json!({})).await, 400, "INVALID_REQUEST", "s3Key");
    assert_field_refused(&ask(json!({"s3Key": ""})).await, 400, "INVALID_REQUEST", "s3Key");
    assert_field_refused(&ask(json!({"s3Key": 7})).await, 400, "INVALID_REQUEST", "s3Key");
    for seconds in [json!(0), json!(3601), json!(-1), json!(1.5), json!("60"), json!(u64::MAX)] {
        let refused = ask(json!({"s3Key": "x", "expiresIn": seconds})).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", "expiresIn");
    }
}

#[tokio::test]
async fn health_needs_no_credentials_and_every_answer_has_a_request_id() {
    let stack = Stack::find();
    let response = stack.call("GET", "/api/health", &[], b"").await;
    assert_eq!(response.status, 200);
    let body = response.json();
    assert!(body["data"]["checks"].is_null(), "{body}");
    assert_eq!((&body["success"], &body["data"]["status"]), (&json!(true), &json!("ok")));
    assert!(!response.header("x-request-id").is_empty());
    assert_eq!(stack.call("GET", "/health", &[], b"").await.json()["data"], body["data"]);
    assert_refused(&stack.call("GET", "/api/health?deep=1", &[], b"").await, 401, "UNAUTHENTICATED");
    let bearer = format!("Bearer {}", stack.name("SERVICE_TOKEN"));
    let deep = stack.call("GET", "/api/health?deep=1", &[("authorization", &bearer)], b"").await.json();
    let parts = (&deep["data"]["checks"], &deep["data"]["degraded"]);
    assert_eq!(parts, (&json!({"table": "ok", "bucket": "ok"}), &json!([])));
}

#[tokio::test]
async fn cors_allows_the_applications_origin_only() {
    let stack = Stack::find();
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        stack.call("OPTIONS", UPLOADS, &headers, b"").await
    };
    let response = preflight(&stack.issuer.azp).await;
    assert_eq!(response.header("access-control-allow-origin"), stack.issuer.azp);
    assert!(response.header("access-control-allow-methods").contains("POST"));
    assert_ne!(preflight("https://evil.example").await.header("access-control-allow-origin"), "https://evil.example");
}
