//! gateway: calls to services, charged to API keys.

use consigne_core::credits::{HoldEnd, Receipt, WalletId};
use consigne_core::gateway::{Answered, UpstreamCall, UpstreamOutcome};
use consigne_core::keys::{KeyMode, KeyStatus};
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    KEY_ID, ORG, acme, change_key, headed, org, put_key, put_production, receipts, refusal, test_wallet_of, user,
};

const SECOND_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTX";

/// Reads a payload, sent with a key.
pub fn sent(case: &str, key: &str) -> Value {
    let event = payload::event("gateway", case, "").to_string();
    serde_json::from_str(&event.replace("$KEY", key)).unwrap()
}

/// Sends a payload with a key. Returns the answer.
pub async fn called(world: &World, case: &str, key: &str) -> Value {
    functions::call(world, "gateway", sent(case, key)).await
}

/// Plans the service's answers.
pub fn answers(world: &World, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let answered = Answered { status, headers, body: body.to_vec() };
    world.change(|state| state.upstreams.outcome = Some(UpstreamOutcome::Answered(answered)));
}

/// Returns Acme's wallet as `[balance, held, used]`. Asserts that its lots add up.
pub fn live(world: &World) -> [i64; 3] {
    let wallet = world.state().accounts.wallets[&WalletId::Organisation(org(ORG))].clone();
    assert!(wallet.is_balanced(), "{wallet:?}");
    [wallet.balance, wallet.held.try_into().unwrap(), wallet.used.try_into().unwrap()]
}

/// Returns the calls that reached a service.
pub fn calls(world: &World) -> Vec<UpstreamCall> {
    world.state().upstreams.calls
}

/// Returns how the only hold ended.
pub fn end(world: &World) -> Option<HoldEnd> {
    world.state().accounts.holds.into_values().next().unwrap().end.map(|end| end.how)
}

/// Returns a receipt without id and times.
pub fn shown(receipt: &Receipt) -> Value {
    let outcome = receipt.outcome.as_ref().unwrap();
    assert!(outcome.response_ms < 5_000);
    json!({ "credits": receipt.credits, "caller": receipt.caller, "call": receipt.call, "status": outcome.status_code })
}

#[tokio::test]
async fn a_call_reaches_its_service_and_is_charged_when_answered() {
    let world = acme();
    let text = put_production(&world, |_| ());
    answers(&world, 201, &[("Content-Type", "text/plain"), ("Set-Cookie", "a=b"), ("X-Page", "1")], b"\xff\x00");
    insta::assert_json_snapshot!(called(&world, "render", &text).await, @r#"
    {
      "status": 201,
      "headers": {
        "x-page": "1",
        "x-credits-remaining": "999"
      },
      "body": {
        "base64": "/wA="
      }
    }
    "#);
    assert_eq!((live(&world), calls(&world).len()), ([999, 0, 1], 1));
    let receipts = receipts(&world);
    insta::assert_json_snapshot!(receipts.iter().map(shown).collect::<Vec<_>>(), @r#"
    [
      {
        "credits": 1,
        "caller": "@gateway",
        "call": {
          "service": "pdf",
          "scope": "pdf:write",
          "endpoint": "/api/v1/pdf/render",
          "method": "POST",
          "ip": "203.0.113.9",
          "country": null,
          "user_agent": "example/1.0"
        },
        "status": 201
      }
    ]
    "#);
    assert!(receipts[0].at >= world.state().accounts.holds.values().next().unwrap().opened_at);
}

#[tokio::test]
async fn a_service_gets_the_callers_request_and_identity() {
    let world = acme();
    let text = put_production(&world, |_| ());
    called(&world, "read", &text).await;
    let call = calls(&world).remove(0);
    let headers: HeaderMap = call
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    assert_eq!(headers.len(), call.headers.len(), "no header may be repeated");
    let now = consigne_runtime::clock::now();
    let identity = functions::gateway_seal().verify(&headers, "GET", "/v1/files/1?page=2", b"", now).unwrap();
    assert_eq!((identity.org, identity.key.to_string()), (org(ORG), KEY_ID.to_owned()));
    assert_eq!((identity.service.as_str(), identity.credits), ("pdf", 1));
    assert_eq!((identity.request.as_str(), identity.environment), ("request-1", KeyMode::Production));
    assert!(!format!("{call:?}").contains(&text), "the key must not be passed on");
    let mut call = json!({ "method": call.method, "url": format!("{}{}", call.origin, call.target),
        "headers": call.headers, "timeout_ms": call.timeout.as_secs() * 1000, "response_max": call.response_max });
    call["headers"].as_array_mut().unwrap().retain(|pair| !pair[0].as_str().unwrap().starts_with("x-consigne-"));
    insta::assert_json_snapshot!(call, @r#"
    {
      "method": "GET",
      "url": "https://pdf.example.com/v1/files/1?page=2",
      "headers": [
        [
          "user-agent",
          "example/1.0"
        ],
        [
          "accept",
          "application/json"
        ]
      ],
      "timeout_ms": 20000,
      "response_max": 4194304
    }
    "#);
}

#[tokio::test]
async fn bodies_and_paths_arrive_unchanged() {
    let world = acme();
    let text = put_production(&world, |_| ());
    assert_eq!(called(&world, "binary", &text).await["status"], 200);
    let call = calls(&world).remove(0);
    assert_eq!((call.method.as_str(), call.target.as_str()), ("PUT", "/v1/files/%C3%A9t%C3%A9.pdf"));
    assert_eq!(call.body, b"%PDF\x00\xff");
}

#[tokio::test]
async fn a_callers_mistake_is_charged_and_a_redirect_is_passed_on() {
    for status in [204, 304, 307, 400, 404, 429, 499] {
        let world = acme();
        let text = put_production(&world, |_| ());
        answers(&world, status, &[("Location", "http://elsewhere.example/?a=b#c")], b"");
        let answer = called(&world, "render", &text).await;
        assert_eq!(answer["status"], status);
        assert_eq!(answer["headers"]["location"], "http://elsewhere.example/?a=b#c");
        assert_eq!((live(&world), shown(&receipts(&world)[0])["status"].clone()), ([999, 0, 1], json!(status)));
    }
}

#[tokio::test]
async fn a_test_key_spends_test_credits_and_the_answer_has_the_rest() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    let answer = called(&world, "render", &text).await;
    assert_eq!((&answer["status"], &answer["headers"]["x-credits-remaining"]), (&json!(200), &json!("99")));
    assert_eq!((test_wallet_of(&world, "user_dev1"), live(&world)), (Some([99, 1]), [1_000, 0, 0]));
    let environment = calls(&world)[0].headers.iter().find(|(name, _)| name == "x-consigne-environment").cloned();
    assert_eq!(environment.unwrap().1, "test");
}

#[tokio::test]
async fn a_test_key_whose_payer_left_spends_the_new_payers_credits() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    change_key(&world, |key| key.spender = Some(user("user_ann1")));
    assert_eq!(called(&world, "render", &text).await["status"], 200);
    assert_eq!((test_wallet_of(&world, "user_ann1"), test_wallet_of(&world, "user_dev1")), (Some([99, 1]), None));
}

#[tokio::test]
async fn each_service_has_its_own_price_and_scopes() {
    let world = acme();
    let text = put_production(&world, |key| key.scopes = ["ai:write".to_owned()].into());
    let mut event = sent("render", &text);
    event["pathParameters"]["service"] = "ai".into();
    event["rawPath"] = "/api/v1/ai/chat".into();
    assert_eq!(functions::call(&world, "gateway", event.clone()).await["status"], 200);
    assert_eq!((live(&world), calls(&world)[0].origin.as_str()), ([997, 0, 3], "https://ai.example.com"));
    event["requestContext"]["http"]["method"] = "GET".into();
    event["requestContext"]["requestId"] = "request-2".into();
    let refused = functions::call(&world, "gateway", event).await;
    assert_eq!(refusal(&refused), (403, "INSUFFICIENT_SCOPE"));
    assert_eq!((live(&world), calls(&world).len()), ([997, 0, 3], 1));
}

#[tokio::test]
async fn a_call_with_an_idempotency_key_is_made_once() {
    let world = acme();
    let text = put_production(&world, |_| ());
    answers(&world, 404, &[], b"no such page");
    assert_eq!(called(&world, "once", &text).await["status"], 404);
    change_key(&world, |key| key.status = KeyStatus::Revoked);
    let before = world.state();
    let again = payload::steady(&called(&world, "once", &text).await);
    insta::assert_json_snapshot!(again, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "ALREADY_ANSWERED",
          "message": "The call with this Idempotency-Key was made already. Use another key for another call",
          "details": {
            "outcome": "settled",
            "credits": 1,
            "receipt_id": "rcpt_<id>_<id>",
            "status_code": 404
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn head_is_answered_with_the_services_length_and_no_body() {
    let world = acme();
    let text = put_production(&world, |_| ());
    answers(&world, 200, &[("Content-Type", "text/plain"), ("Content-Length", "17")], b"");
    let mut event = sent("read", &text);
    event["requestContext"]["http"]["method"] = "HEAD".into();
    let head = functions::call(&world, "gateway", event).await;
    let headers = json!({ "content-length": "17", "x-credits-remaining": "999" });
    assert_eq!(head, json!({ "status": 200, "headers": headers, "body": null }));
    assert_eq!(calls(&world)[0].method, "HEAD");
    // An answer of our own, such as a refusal, has the length of its body.
    let mut event = sent("read", "sk_live_unknown");
    event["requestContext"]["http"]["method"] = "HEAD".into();
    let refused = functions::call(&world, "gateway", event).await;
    assert_eq!((&refused["status"], &refused["body"]), (&json!(401), &Value::Null));
    assert_ne!(refused["headers"]["content-length"], "0");
}

#[tokio::test]
async fn raw_characters_of_a_query_are_escaped_for_the_service() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let mut event = sent("read", &text);
    event["rawQueryString"] = "a=<b>&c=\"d\"&e=%3C".into();
    assert_eq!(functions::call(&world, "gateway", event).await["status"], 200);
    assert!(calls(&world)[0].target.ends_with("?a=%3Cb%3E&c=%22d%22&e=%3C"), "{}", calls(&world)[0].target);
}

#[tokio::test]
async fn a_key_is_taken_with_spaces_around_it_and_from_basic_credentials() {
    use base64::Engine as _;
    /// Returns the header with a key.
    type Carrier = fn(&str) -> (&'static str, String);
    let carriers: [Carrier; 2] = [
        |text| {
            ("authorization", format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{text}:"))))
        },
        |text| ("x-api-key", format!("\u{a0}{text} ")),
    ];
    for carrier in carriers {
        // In a new world, because the two events have the same request id.
        let world = acme();
        let text = put_production(&world, |_| ());
        let (name, value) = carrier(&text);
        let mut event = sent("read", &text);
        let headers = event["headers"].as_object_mut().unwrap();
        headers.remove("authorization");
        headers.remove("x-api-key");
        headers.insert(name.to_owned(), value.into());
        assert_eq!(functions::call(&world, "gateway", event).await["status"], 200, "{name}");
    }
}

/// What differs in a request.
type Change = fn(&mut Value);

#[tokio::test]
async fn an_idempotency_key_used_for_another_call_or_key_is_refused() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let second = put_key(&world, SECOND_KEY, KeyMode::Production, |_| ());
    assert_eq!(called(&world, "once", &text).await["status"], 200);
    let before = world.state();
    let changes: [(&str, Change); 5] = [
        ("body", |event| event["body"] = "{\"html\": \"<b>\"}".into()),
        ("query", |event| event["rawQueryString"] = "dpi=301".into()),
        ("path", |event| event["rawPath"] = "/api/v1/pdf/print".into()),
        ("method", |event| event["requestContext"]["http"]["method"] = "PUT".into()),
        ("type", |event| event["headers"]["content-type"] = "text/plain".into()),
    ];
    for (what, change) in changes {
        let mut event = sent("once", &text);
        change(&mut event);
        assert_eq!(refusal(&functions::call(&world, "gateway", event).await), (422, "IDEMPOTENCY_MISMATCH"), "{what}");
    }
    assert_eq!(refusal(&called(&world, "once", &second).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_call_in_progress_or_interrupted_is_not_repeated() {
    let world = acme();
    let text = put_production(&world, |_| ());
    called(&world, "once", &text).await;
    world.change(|state| state.accounts.holds.values_mut().for_each(|hold| hold.end = None));
    let again = called(&world, "once", &text).await;
    assert_eq!((refusal(&again), &again["headers"]["retry-after"]), ((409, "IDEMPOTENCY_IN_FLIGHT"), &json!("1")));
    world.change(|state| {
        for hold in state.accounts.holds.values_mut() {
            let over = hold.time_out(hold.expires_at.plus(std::time::Duration::from_hours(1))).unwrap();
            *hold = over.hold;
        }
    });
    let over = called(&world, "once", &text).await;
    assert_eq!(refusal(&over), (409, "ALREADY_ANSWERED"));
    let details = &over["body"]["error"]["details"];
    assert_eq!((&details["outcome"], &details["credits"]), (&json!("timed_out"), &json!(0)));
    assert_eq!(calls(&world).len(), 1);
}

#[tokio::test]
async fn a_repeated_invocation_makes_one_call_and_two_requests_make_two() {
    let world = acme();
    let text = put_production(&world, |_| ());
    assert_eq!(called(&world, "render", &text).await["status"], 200);
    assert_eq!(refusal(&called(&world, "render", &text).await), (409, "ALREADY_ANSWERED"));
    assert_eq!((live(&world), calls(&world).len()), ([999, 0, 1], 1));
    let mut other = sent("render", &text);
    other["requestContext"]["requestId"] = "request-2".into();
    assert_eq!(functions::call(&world, "gateway", other.clone()).await["status"], 200);
    // A caller's idempotency key never equals one that we create.
    let posing = headed(other, "idempotency-key", Some("request request-1"));
    assert_eq!(functions::call(&world, "gateway", posing).await["status"], 200);
    assert_eq!((live(&world), calls(&world).len()), ([997, 0, 3], 3));
}
