//! Log lines of the deployed stack: what they contain, and what they must never contain.

use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::{operator, text};

/// Waits for the single log line of a function that contains a text. Returns it.
async fn line(stack: &Stack, function: &str, holding: &str) -> Value {
    let lines = until(async || {
        let lines = stack.log_lines(function, holding).await;
        lines.into_iter().find(|line| line.starts_with('{'))
    });
    let line = lines.await.unwrap_or_else(|| panic!("{function} has no line with {holding}"));
    serde_json::from_str(&line).unwrap()
}

#[tokio::test]
async fn a_request_has_one_log_line_with_all_fields() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let response = ann.grant("secret-holiday.png", "image/png", 1234).await;
    let line = line(&stack, "upload-grant", response.header("x-request-id")).await;
    for (field, want) in [
        ("level", json!("INFO")),
        ("message", json!("POST /api/files/uploads answered 201")),
        ("stack", json!(stack.name("STACK_NAME"))),
        ("function", json!("upload-grant")),
        ("request.id", json!(response.header("x-request-id"))),
        ("http.route", json!("POST /api/files/uploads")),
        ("http.status", json!(201)),
        ("user.id", json!(ann.id)),
        ("file.id", response.json()["fileId"].clone()),
        ("aws.calls", json!(1)),
        ("UploadsGranted", json!(1)),
        ("BytesGranted", json!(1234)),
    ] {
        assert_eq!(line[field], want, "{field}: {line}");
    }
    assert!(line["duration_ms"].as_f64() > Some(0.0));
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&directive["Namespace"], &directive["Dimensions"]),
        (&json!("Consigne"), &json!([["stack", "function"]]))
    );
    let names: Vec<_> = directive["Metrics"].as_array().unwrap().iter().map(|metric| text(metric, "Name")).collect();
    assert_eq!(names, ["UploadsGranted", "BytesGranted"]);
}

#[tokio::test]
async fn a_replayed_grant_is_not_counted_again() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let body = json!({"filename": "a.png", "contentType": "image/png", "size": 1234});
    let mut counted = Vec::new();
    for _ in 0..2 {
        let key = [("idempotency-key", "order-17")];
        let response = ann.call_with_headers("POST", "/api/files/uploads", &body, &key).await;
        assert_eq!(response.status, 201);
        let line = line(&stack, "upload-grant", response.header("x-request-id")).await;
        counted.push([line["UploadsGranted"].clone(), line["BytesGranted"].clone()]);
    }
    assert_eq!(counted, [[json!(1), json!(1234)], [Value::Null, Value::Null]]);
}

#[tokio::test]
async fn uploads_ready_and_rejected_are_counted_with_their_bytes_and_time() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 700)).await;
    let id = text(&ann.metadata(&key).await.json(), "fileId");
    let ready = line(&stack, "on-object-event", &id).await;
    assert_eq!(
        (&ready["UploadsReady"], &ready["BytesReady"], &ready["aws.calls"]),
        (&json!(1), &json!(700), &json!(3))
    );
    assert!(ready["GrantToReady"].as_u64().is_some(), "{ready}");
    let grant = ann.grant("b.png", "image/png", 700).await.json();
    ann.put(&grant, pictures::gif(700)).await;
    ann.wait_for(&text(&grant, "s3Key"), "rejected").await;
    assert_eq!(line(&stack, "on-object-event", &text(&grant, "fileId")).await["UploadsRejected"], 1);
}

#[tokio::test]
async fn the_log_says_who_asked_for_a_file_and_what_came_of_it() {
    let stack = Stack::find();
    let (ann, eve) = (stack.newcomer("pro"), stack.newcomer("pro"));
    let key = ann.upload("a.png", "image/png", pictures::png(1, 1, 700)).await;
    let file = text(&ann.metadata(&key).await.json(), "fileId");
    for (person, outcome) in [(&ann, "OK"), (&eve, "NOT_FOUND")] {
        let id = person.ticket(&key).await.header("x-request-id").to_owned();
        let audit = line(&stack, "presign", &id).await["audit"].clone();
        let want = json!({
            "user": person.id, "route": "POST /api/files/presigned-url", "ip": "127.0.0.1", "outcome": outcome, "file": file,
        });
        assert_eq!(audit, want);
    }
    // Nothing but functions behind routes of files knows an address.
    stack.call("GET", "/api/health", &[], b"").await;
    ann.call("GET", "/api/services").await;
    for function in ["on-object-event", "publish-events", "health", "services", "job-list"] {
        assert_eq!(stack.log_lines(function, "127.0.0.1").await, Vec::<String>::new(), "{function}");
    }
}

#[tokio::test]
async fn no_log_line_has_a_token_a_signature_a_name_or_an_address() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let key = ann.upload("secret-holiday.png", "image/png", pictures::png(1, 1, 700)).await;
    ann.ticket(&key).await;
    ann.call("GET", &format!("/api/secure/files/download/{key}")).await;
    ann.metadata(&key).await;
    ann.call("GET", "/api/files/list").await;
    ann.delete(&key).await;
    ann.wait_for_usage(0, 0, 0).await;
    stack.call("GET", "/api/files/list", &[("authorization", "Bearer a.secret.token")], b"").await;
    let signature = ann.token.rsplit('.').next().unwrap();
    for function in
        ["upload-grant", "presign", "metadata", "list", "delete", "usage", "on-object-event", "publish-events"]
    {
        // Log lines are collected a moment after the answer.
        let collected = async || (!stack.log_lines(function, &ann.id).await.is_empty()).then_some(());
        assert!(function == "publish-events" || until(collected).await.is_some(), "{function}");
        // The address is in the audit alone, and an audit has nothing else of these.
        for line in stack.log_lines(function, "127.0.0.1").await {
            let mut line: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["audit"]["ip"].take(), "127.0.0.1", "{line}");
            assert!(!line.to_string().contains("127.0.0.1"), "{function} logs an address: {line}");
        }
        for forbidden in [signature, "secret", "holiday", "X-Amz-Signature", "Credential=", "eyJ", "/images/"] {
            let lines = stack.log_lines(function, forbidden).await;
            assert!(lines.is_empty(), "{function} logs {forbidden}: {}", lines[0]);
        }
    }
}

#[tokio::test]
async fn the_command_line_finds_lines_by_request_person_and_function() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    let (usage, list) = (ann.call("GET", "/api/files/usage").await, ann.call("GET", "/api/files/list").await);
    let wanted = [usage.header("x-request-id").to_owned(), list.header("x-request-id").to_owned()];
    line(&stack, "usage", &wanted[0]).await;
    line(&stack, "list", &wanted[1]).await;
    let found = |arguments: &[&str]| {
        let all = [&["logs", "--once", "--json", "--since", "5m"], arguments].concat();
        let (output, out, err) = operator::consigne(&all, &[]);
        assert!(output.status.success(), "{out}{err}");
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| text(&line, "request.id")).collect::<Vec<String>>()
    };
    assert_eq!(found(&["--request", &wanted[0]]), [wanted[0].clone()]);
    // CloudWatch Logs shows lines a moment after they were written.
    let both = until(async || (found(&["--user", &ann.id]) == wanted).then_some(())).await;
    assert!(both.is_some(), "{:?}", found(&["--user", &ann.id]));
    assert_eq!(found(&["--user", &ann.id, "--function", "list"]), [wanted[1].clone()]);
    assert!(found(&["--user", &ann.id, "--errors"]).is_empty());
    let (_, out, _) = operator::consigne(&["logs", "--once", "--request", &wanted[0]], &[]);
    assert!(out.contains("INFO  usage ") && out.contains("answered 200") && out.lines().count() == 1, "{out}");
    // The day is in each line, and that the time is UTC.
    let time = out.split_whitespace().next().unwrap_or_default();
    assert!(time.len() == "2026-11-28T10:00:01Z".len() && time.starts_with("20") && time.ends_with('Z'), "{out}");
    let (output, _, err) = operator::consigne(&["logs", "--once", "--function", "nothing"], &[]);
    assert!(output.status.code() == Some(1) && err.contains("has no function nothing"), "{err}");
}
