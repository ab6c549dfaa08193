use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code)]
struct Body {
    filename: String,
    size: u64,
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Inner {
    n: u8,
}

fn request(headers: &Value, query: &str, body: &str) -> Request {
    let event = json!({
        "version": "2.0", "routeKey": "POST /api/x", "rawPath": "/api/x/a b%25", "rawQueryString": query, "headers": headers,
        "requestContext": {"http": {"method": "POST", "path": "/"}, "requestId": "r1"},
        "body": body, "isBase64Encoded": false,
    });
    Request::from_event(serde_json::from_value(event).unwrap(), Timestamp::from_secs(0))
}

fn parse(body: &str) -> Result<Body, (Code, Value, String)> {
    let request = request(&json!({"content-type": "application/json; charset=utf-8"}), "", body);
    request.json().map_err(|fault: Fault| (fault.code, Value::Object(fault.details.clone()), fault.message.to_string()))
}

fn field_at_fault(body: &str) -> String {
    let (code, details, message) = parse(body).unwrap_err();
    assert_eq!(code, Code::InvalidRequest, "{message}");
    details["field"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_field_at_fault_is_named() {
    assert!(parse(r#"{"filename": "a", "size": 1, "inner": {"n": 2}}"#).is_ok());
    assert!(parse("\u{feff}{\"filename\": \"a\", \"size\": 500.0, \"inner\": {\"n\": 2e0}}").is_ok());
    assert_eq!(field_at_fault(r#"{"filename": "a"}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": -1}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": 1.5}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": "10"}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": null}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": 1, "size": 1}"#), "filename");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": 1, "admin": true}"#), "admin");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": 1, "size": 2}"#), "size");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": 1, "inner": {"m": 1}}"#), "inner.m");
    assert_eq!(field_at_fault(r#"{"filename": "a", "size": 1, "inner": {"n": 300}}"#), "inner.n");
    assert_eq!(field_at_fault("[]"), "");
    assert_eq!(field_at_fault("\"x\""), "");
}

#[test]
fn malformed_json_is_reported_with_its_position() {
    let (code, details, message) = parse("{\n  \"size\": ,\n}").unwrap_err();
    assert_eq!((code, message.as_str()), (Code::InvalidRequest, "body is not valid JSON at line 2, column 11"));
    assert_eq!(details, json!({"line": 2, "column": 11}));
    for bad in ["", "{", r#"{"filename": "a", "size": 1} x"#, r#"{"filename": "\ud800", "size": 1}"#] {
        assert_eq!(parse(bad).unwrap_err().0, Code::InvalidRequest, "{bad}");
    }
}

#[test]
fn type_and_size_of_a_body_are_checked_first() {
    for content_type in [json!({}), json!({"content-type": "text/plain"}), json!({"content-type": "application/jsonp"})]
    {
        let outcome = request(&content_type, "", "{}").json::<Body>();
        assert_eq!(outcome.err().map(|fault| fault.code), Some(Code::UnsupportedMediaType), "{content_type}");
    }
    let large = format!("{{\"filename\": \"{}\", \"size\": 1}}", "x".repeat(BODY_MAX));
    assert_eq!(parse(&large).unwrap_err().0, Code::BodyTooLarge);
}

#[test]
fn a_body_marked_as_base64_is_decoded_or_refused() {
    let event = |body: &str| {
        let event = json!({
            "rawPath": "/", "headers": {"content-type": "application/json"}, "body": body, "isBase64Encoded": true,
            "requestContext": {"http": {"method": "POST"}},
        });
        Request::from_event(serde_json::from_value(event).unwrap(), Timestamp::from_secs(0)).json::<Value>()
    };
    assert_eq!(event("eyJhIjoxfQ==").unwrap(), json!({"a": 1}));
    assert_eq!(event("%%%").err().map(|fault| fault.code), Some(Code::InvalidRequest));
    assert_eq!(event("/w==").err().map(|fault| fault.code), Some(Code::InvalidRequest));
}

#[test]
fn query_parameters_are_decoded_once_and_may_not_repeat() {
    let request = request(&json!({}), "a=x%20y%2525&b=&c=1&c=2", "");
    assert_eq!(request.query("a").unwrap().as_deref(), Some("x y%25"));
    assert_eq!(request.query("b").unwrap(), None);
    assert_eq!(request.query("c").err().map(|fault| fault.details["field"].clone()), Some(json!("c")));
    assert_eq!(request.path_after("/api/x/"), "a b%25");
}

#[test]
fn an_idempotency_key_is_bound_to_one_request() {
    let with = |key: &str| request(&json!({"idempotency-key": key}), "", "");
    let one = with("k").idempotency_key(&json!({"size": 1})).unwrap().unwrap();
    assert_eq!(with("k").idempotency_key(&json!({"size": 1})).unwrap(), Some(one.clone()));
    assert_ne!(with("k").idempotency_key(&json!({"size": 2})).unwrap(), Some(one));
    assert_eq!(request(&json!({}), "", "").idempotency_key(&json!({})).unwrap(), None);
    for bad in [String::new(), " ".to_owned(), "x".repeat(256), "é".to_owned()] {
        assert!(with(&bad).idempotency_key(&json!({})).is_err(), "{bad:?}");
    }
}

#[test]
fn cookies_come_from_their_own_list_or_from_the_header() {
    let event = json!({
        "rawPath": "/", "headers": {}, "cookies": ["a=1", "__session=t"], "requestContext": {"http": {"method": "GET"}},
    });
    let request = Request::from_event(serde_json::from_value(event).unwrap(), Timestamp::from_secs(0));
    assert_eq!(request.header("cookie"), Some("a=1; __session=t"));
    let event = json!({
        "rawPath": "/", "headers": {}, "cookies": ["a=\u{1}", "b=é", "__session=t"],
        "requestContext": {"http": {"method": "GET"}},
    });
    let request = Request::from_event(serde_json::from_value(event).unwrap(), Timestamp::from_secs(0));
    assert_eq!(request.credentials().find().unwrap().1, ["t"]);
}

#[tokio::test]
async fn a_webhook_is_verified_over_its_unchanged_body() {
    let secrets = WebhookSecrets::parse(r#"{"current": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}"#).unwrap();
    let (known, id) = (Refreshed::fixed(secrets.clone()), WebhookId::parse("msg_1").unwrap());
    let sign = |body: &[u8]| -> Value {
        let headers = secrets.sign(&id, Timestamp::from_secs(0), body);
        headers.map(|(name, value)| (name.to_owned(), Value::String(value))).into_iter().collect()
    };
    let body = "{ \"size\" :1,\n\"name\":\"\u{e9}\"}";
    let good = request(&sign(body.as_bytes()), "", body);
    assert_eq!(good.signed(&known).await.unwrap(), id);
    assert_eq!(good.log.take("x", good.now)["webhook.id"], "msg_1");

    let respaced = request(&sign(body.as_bytes()), "", "{\"size\":1,\"name\":\"\u{e9}\"}");
    assert_eq!(respaced.signed(&known).await.unwrap_err().code, Code::InvalidSignature);
    let why = &respaced.log.take("x", respaced.now)["webhook.refused"];
    assert_eq!(*why, "no signature was made with a known secret");

    let large = "x".repeat(BODY_MAX + 1);
    let large = request(&sign(large.as_bytes()), "", &large);
    assert_eq!(large.signed(&known).await.unwrap_err().code, Code::BodyTooLarge);
}
