//! A service that acts for a user, with a token that the operator gave the right.

use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::further_stack::FurtherStack;
use super::text;

/// The stack of all tests. Only its file of addresses is used here.
const STACK: FurtherStack = FurtherStack { name: "consigne", env_file: "target/local/stack.env" };

/// Changes the stack's service tokens. Other tests may change them at the same moment, so a conflict is tried again.
async fn service_token(arguments: &[&str]) -> Value {
    let arguments = [&["service-token"][..], arguments, &["--json"]].concat();
    let done = until(async || {
        let (well, said) = STACK.consigne(&arguments, "").await;
        well.then(|| serde_json::from_str(said[said.find('{')?..].trim()).ok()).flatten()
    });
    done.await.unwrap_or_else(|| panic!("{arguments:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_acts_for_a_user_once_it_may() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let name = format!("portal-{}", std::process::id());
    let token = text(&service_token(&["add", &name]).await, "token");
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-consigne-user", ann.id.as_str()),
    ];
    let call = async |method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        stack.call(method, path, &headers, body.as_bytes()).await
    };
    service_token(&["allow", &name, "files"]).await;
    // An environment reads the tokens again at most once a minute, so its first answer may be about the older ones.
    let patient = async |method: &str, path: &str, body: &Value| {
        for _ in 0..3 {
            let reached = until(async || {
                let answer = call(method, path, body).await;
                (!matches!(answer.status, 401 | 403)).then_some(answer)
            });
            if let Some(answer) = reached.await {
                return answer;
            }
        }
        panic!("{method} {path} never accepts the service")
    };
    let usage = patient("GET", "/api/files/usage", &Value::Null).await.json();
    assert_eq!((&usage["userId"], &usage["plan"]), (&json!(ann.id), &json!("free")));
    let bytes = pictures::png(2, 2, 900);
    let ask = json!({ "filename": "a.png", "contentType": "image/png", "size": bytes.len() });
    let grant = patient("POST", "/api/files/uploads", &ask).await.json();
    let key = text(&grant, "s3Key");
    assert!(key.starts_with(&format!("{}/images/", ann.id)), "{key}");
    assert_eq!(ann.put(&grant, bytes).await.status, 200);
    ann.wait_for(&key, "ready").await;
    let ticket = patient("POST", "/api/files/presigned-url", &json!({ "s3Key": key })).await;
    assert_eq!(ticket.status, 200, "{}", ticket.json());
    let listed = patient("GET", "/api/files/list", &Value::Null).await.json();
    assert_eq!(listed["files"][0]["key"], json!(key));
    assert_eq!(patient("GET", &format!("/api/files/metadata?s3Key={key}"), &Value::Null).await.status, 200);
    // Each of these has a right to read the tokens of services; what it says is tested elsewhere.
    let none = "/api/files/uploads/01M7YREWKH7VM7Z3Z2KWSH2FTR";
    let named = json!({ "parts": [{ "partNumber": 1, "etag": "x" }] });
    for (method, path, body, wanted) in [
        ("POST", "/api/files/publish", json!({ "s3Key": key }), "CDN_REQUIRED"),
        ("POST", &format!("{none}/parts"), json!({ "partNumbers": [1] }), "NOT_FOUND"),
        ("POST", &format!("{none}/complete"), named, "NOT_FOUND"),
        ("DELETE", none, Value::Null, "NOT_FOUND"),
    ] {
        assert_eq!(patient(method, path, &body).await.code(), wanted, "{method} {path}");
    }
    let told = until(async || {
        let lines = stack.log_lines("presign", ticket.header("x-request-id")).await;
        lines.first().and_then(|line| serde_json::from_str::<Value>(line).ok())
    });
    let audit = told.await.expect("the ticket is audited")["audit"].clone();
    assert_eq!((&audit["service"], &audit["user"]), (&json!(name), &json!(ann.id)), "{audit}");
    assert_eq!(patient("DELETE", "/api/files/delete", &json!({ "s3Key": key })).await.status, 200);
    service_token(&["retire", &name, "--last"]).await;
}
