//! gateway: requests that are refused, and services that fail.

use consigne_core::credits::{HoldEnd, REFUNDS_A_DAY, VoidReason};
use consigne_core::gateway::{Failure, UpstreamOutcome};
use consigne_core::keys::{ApiKey, KeyStatus};
use consigne_core::periods::Day;
use consigne_core::rates::Window;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::keys::gateway::{answers, called, calls, end, live, sent, shown};
use crate::handlers::people::accounts::{
    KEY_ID, ORG, acme, headed, in_days, key_id, org, put_production, receipts, refusal, used,
};

/// Sends the payload `render` after `change`. Asserts that nothing was changed or called. Returns the answer.
async fn refused_and_nothing_done(world: &World, text: &str, change: impl FnOnce(&mut Value)) -> Value {
    let before = world.state();
    let mut event = sent("render", text);
    change(&mut event);
    let answer = functions::call(world, "gateway", event).await;
    assert_eq!(world.state(), before, "{answer}");
    answer
}

/// Summarises an answer on one line.
fn said(why: &str, answer: &Value) -> String {
    let (status, code) = refusal(answer);
    let details = &answer["body"]["error"]["details"];
    let named: Vec<String> = ["code", "limiter", "field", "service"]
        .iter()
        .filter_map(|name| Some(format!("{name} {}", details[*name].as_str()?)))
        .chain(
            ["allow", "www-authenticate"]
                .iter()
                .filter_map(|name| answer["headers"][*name].as_str().map(str::to_owned)),
        )
        .chain(answer["headers"]["retry-after"].is_string().then(|| "Retry-After".to_owned()))
        .collect();
    format!("{why}: {status} {code} ({})", named.join(", "))
}

/// What is wrong with a key.
type Change = fn(&mut ApiKey);

#[tokio::test]
async fn every_refused_key_has_a_status_and_reaches_no_service() {
    let changes: [(&str, Change); 8] = [
        ("revoked", |key| key.status = KeyStatus::Revoked),
        ("deleted", |key| key.status = KeyStatus::Deleted),
        ("expired", |key| key.expires_at = Some(in_days(-1))),
        ("rotated", |key| key.generation = 2),
        ("scope", |key| key.scopes = ["pdf:read".to_owned()].into()),
        ("minute quota", |key| {
            (key.minute_quota, key.minute) = (Some(3), Some(Window { started: clock::now(), count: 3 }));
        }),
        ("daily quota", |key| (key.daily_quota, key.used) = (Some(3), used(3))),
        ("monthly quota", |key| (key.monthly_quota, key.used) = (Some(3), used(3))),
    ];
    let mut said_all = Vec::new();
    for (why, change) in changes {
        let world = acme();
        let text = put_production(&world, |_| ());
        world.change(|state| change(state.accounts.keys.get_mut(&(org(ORG), key_id(KEY_ID))).unwrap()));
        said_all.push(said(why, &refused_and_nothing_done(&world, &text, |_| ()).await));
    }
    let world = acme();
    let text = put_production(&world, |_| ());
    // Whatever the key's length, and wherever else it is in the request.
    said_all.push(said("no key at all", &refused_and_nothing_done(&world, "r", |_| ()).await));
    said_all.push(said("mistyped", &refused_and_nothing_done(&world, &format!("{text}x"), |_| ()).await));
    world.change(|state| state.accounts.wallets.values_mut().for_each(|wallet| wallet.debit(1_000)));
    said_all.push(said("credits", &refused_and_nothing_done(&world, &text, |_| ()).await));
    world.change(|state| state.accounts.wallets.values_mut().for_each(|wallet| wallet.open = false));
    said_all.push(said("suspended", &refused_and_nothing_done(&world, &text, |_| ()).await));
    insta::assert_json_snapshot!(said_all, @r#"
    [
      "revoked: 401 UNAUTHENTICATED (code REVOKED, Bearer)",
      "deleted: 401 UNAUTHENTICATED (code NOT_FOUND, Bearer)",
      "expired: 401 UNAUTHENTICATED (code EXPIRED, Bearer)",
      "rotated: 401 UNAUTHENTICATED (code EXPIRED, Bearer)",
      "scope: 403 INSUFFICIENT_SCOPE (code INSUFFICIENT_SCOPE, limiter key)",
      "minute quota: 429 RATE_LIMITED (code MINUTE_QUOTA_EXCEEDED, limiter key, Retry-After)",
      "daily quota: 429 RATE_LIMITED (code DAILY_QUOTA_EXCEEDED, limiter key, Retry-After)",
      "monthly quota: 429 RATE_LIMITED (code MONTHLY_QUOTA_EXCEEDED, limiter key, Retry-After)",
      "no key at all: 401 UNAUTHENTICATED (code NOT_FOUND, Bearer)",
      "mistyped: 401 UNAUTHENTICATED (code NOT_FOUND, Bearer)",
      "credits: 402 INSUFFICIENT_CREDITS (code INSUFFICIENT_CREDITS, limiter wallet)",
      "suspended: 403 KEY_REFUSED (code SUSPENDED, limiter organisation)"
    ]
    "#);
}

/// What is wrong with a request.
type Defect = Box<dyn FnOnce(&mut Value)>;

#[tokio::test]
async fn a_refused_request_is_not_charged() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let set =
        |pointer: &'static str, value: Value| move |event: &mut Value| *event.pointer_mut(pointer).unwrap() = value;
    let mut said_all = Vec::new();
    let changes: [(&str, Defect); 11] = [
        ("no key", Box::new(|event| *event = headed(event.clone(), "authorization", None))),
        ("basic", Box::new(set("/headers/authorization", "Basic dTpw".into()))),
        ("unknown service", Box::new(set("/pathParameters/service", "fax".into()))),
        ("no upstream", Box::new(set("/pathParameters/service", "mileage".into()))),
        ("options", Box::new(set("/requestContext/http/method", "OPTIONS".into()))),
        ("traversal", Box::new(set("/rawPath", "/api/v1/pdf/../admin".into()))),
        ("absolute", Box::new(set("/rawPath", "/api/v1/pdf/http://evil.example/".into()))),
        ("more slashes", Box::new(set("/rawPath", "//api/v1/pdf/render".into()))),
        ("query", Box::new(set("/rawQueryString", "a b".into()))),
        ("broken body", Box::new(|event| event["isBase64Encoded"] = true.into())),
        ("too large", Box::new(|event| event["body"] = "a".repeat(4 * 1024 * 1024 + 1).into())),
    ];
    for (why, change) in changes {
        said_all.push(said(why, &refused_and_nothing_done(&world, &text, change).await));
    }
    let empty = |event: &mut Value| *event = headed(event.clone(), "idempotency-key", Some(""));
    said_all.push(said("empty idempotency key", &refused_and_nothing_done(&world, &text, empty).await));
    insta::assert_json_snapshot!(said_all, @r#"
    [
      "no key: 401 UNAUTHENTICATED (Bearer)",
      "basic: 401 UNAUTHENTICATED (Bearer)",
      "unknown service: 404 SERVICE_UNKNOWN ()",
      "no upstream: 503 SERVICE_UNAVAILABLE (service mileage)",
      "options: 405 METHOD_NOT_ALLOWED (GET, HEAD, POST, PUT, PATCH, DELETE)",
      "traversal: 400 INVALID_REQUEST (field path)",
      "absolute: 400 INVALID_REQUEST (field path)",
      "more slashes: 400 INVALID_REQUEST (field path)",
      "query: 400 INVALID_REQUEST (field query)",
      "broken body: 400 INVALID_REQUEST ()",
      "too large: 413 BODY_TOO_LARGE ()",
      "empty idempotency key: 400 INVALID_REQUEST (field Idempotency-Key)"
    ]
    "#);
    let mut fits = sent("render", &text);
    fits["body"] = "a".repeat(4 * 1024 * 1024).into();
    assert_eq!(functions::call(&world, "gateway", fits).await["status"], 200, "a body of exactly the limit is allowed");
}

#[tokio::test]
async fn a_failed_call_is_not_charged_and_is_in_the_usage_log() {
    let mut said_all = Vec::new();
    for (why, outcome) in [
        ("timeout", Failure::Timeout),
        ("refused", Failure::Unreachable),
        ("closed", Failure::Broken),
        ("huge", Failure::TooLarge),
    ] {
        let world = acme();
        let text = put_production(&world, |_| ());
        let outcome = UpstreamOutcome::Failed(outcome, "10.0.0.7 hung up".to_owned());
        world.change(|state| state.upstreams.outcome = Some(outcome));
        said_all.push(failed(&world, why, &text).await);
    }
    for status in [500, 503, 599, 199, 600] {
        let world = acme();
        let text = put_production(&world, |_| ());
        answers(&world, status, &[("retry-after", "7")], b"a stack trace");
        said_all.push(failed(&world, &status.to_string(), &text).await);
    }
    insta::assert_json_snapshot!(said_all, @r#"
    [
      "timeout: 504 UPSTREAM_TIMEOUT null, logged as 504 for 0",
      "refused: 502 UPSTREAM_FAILED {\"reason\":\"unreachable\"}, logged as 502 for 0",
      "closed: 502 UPSTREAM_FAILED {\"reason\":\"malformed\"}, logged as 502 for 0",
      "huge: 502 UPSTREAM_FAILED {\"reason\":\"too_large\"}, logged as 502 for 0",
      "500: 502 UPSTREAM_FAILED {\"reason\":\"status\",\"status\":500}, logged as 500 for 0",
      "503: 502 UPSTREAM_FAILED {\"reason\":\"status\",\"status\":503}, logged as 503 for 0",
      "599: 502 UPSTREAM_FAILED {\"reason\":\"status\",\"status\":599}, logged as 599 for 0",
      "199: 502 UPSTREAM_FAILED {\"reason\":\"malformed\"}, logged as 502 for 0",
      "600: 502 UPSTREAM_FAILED {\"reason\":\"malformed\"}, logged as 502 for 0"
    ]
    "#);
}

/// Calls a service that fails. Summarises the answer and the usage log on one line.
async fn failed(world: &World, why: &str, text: &str) -> String {
    let answer = called(world, "render", text).await;
    assert_eq!((live(world), calls(world).len()), ([1_000, 0, 0], 1), "{why}");
    assert_eq!(end(world), Some(HoldEnd::Voided(VoidReason::ProviderError)));
    assert_eq!(answer["headers"]["x-credits-remaining"], "1000");
    let shown_answer = answer.to_string();
    assert!(!shown_answer.contains("10.0.0.7") && !shown_answer.contains("stack trace"), "{shown_answer}");
    let logged = shown(&receipts(world)[0]);
    let details = &answer["body"]["error"]["details"];
    let (status, code) = refusal(&answer);
    format!("{why}: {status} {code} {details}, logged as {} for {}", logged["status"], logged["credits"])
}

#[tokio::test]
async fn repeated_failures_of_a_service_are_never_charged() {
    for status in [500, 401, 407] {
        let world = acme();
        let text = put_production(&world, |_| ());
        let day = (org(ORG), key_id(KEY_ID), Day::of(clock::now()));
        world.change(|state| {
            state.accounts.refunds.insert(day, REFUNDS_A_DAY);
        });
        answers(&world, status, &[], b"");
        let answer = called(&world, "render", &text).await;
        assert_eq!(refusal(&answer), (502, "UPSTREAM_FAILED"), "{status}");
        assert_eq!(answer["headers"]["x-credits-remaining"], "1000", "{status}");
        assert_eq!((live(&world), receipts(&world)[0].credits), ([1000, 0, 0], 0), "{status}");
    }
}

#[tokio::test]
async fn a_replay_of_a_failed_call_shows_that_it_was_free() {
    let world = acme();
    let text = put_production(&world, |_| ());
    answers(&world, 500, &[], b"");
    assert_eq!(refusal(&called(&world, "once", &text).await), (502, "UPSTREAM_FAILED"));
    let again = called(&world, "once", &text).await;
    assert_eq!(refusal(&again), (409, "ALREADY_ANSWERED"));
    let details = &again["body"]["error"]["details"];
    assert_eq!((&details["outcome"], &details["credits"]), (&json!("voided"), &json!(0)));
    assert_eq!(calls(&world).len(), 1);
}
