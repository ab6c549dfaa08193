//! CORS preflights, which API Gateway passes on to functions.

use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use consigne_testkit::template::{routes, template};
use serde_json::{Value, json};

/// Returns an event as API Gateway sends it for `OPTIONS`.
fn options(path: &str, route: &str, headers: &Value) -> Value {
    json!({
        "version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "1", "apiId": "a", "domainName": "a.example.com", "domainPrefix": "a", "requestId": "r-1",
            "routeKey": route, "stage": "$default", "time": "22/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_257_000_000_i64,
            "http": { "method": "OPTIONS", "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4", "userAgent": "b" },
        },
        "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn every_function_with_a_route_answers_preflights() {
    let asked = json!({ "origin": "https://app.example.com", "access-control-request-method": "PUT" });
    let routed = routes(&template()).into_iter().map(|(function, _, path)| (function, path));
    for (function, path) in routed.chain([("fallback".to_owned(), "/nowhere".to_owned())]) {
        let answer = functions::call(&World::default(), &function, options(&path, "$default", &asked)).await;
        assert_eq!((&answer["status"], &answer["body"]), (&json!(204), &json!(false)), "{function}: {answer}");
    }
}

#[tokio::test]
async fn options_without_a_preflight_is_refused_like_other_methods() {
    let plain = json!({ "origin": "https://app.example.com" });
    let answer = functions::call(&World::default(), "fallback", options("/api/files/list", "$default", &plain)).await;
    assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(405), &json!("METHOD_NOT_ALLOWED")));
}
