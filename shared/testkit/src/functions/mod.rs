//! Runs the functions on fakes: wired as in their binaries, with the real runtime around them, and fed with whole
//! events.

mod adapters;
mod nightly;
mod registry;
mod texts;
mod warm;

pub use crate::webhooks::signed as signed_by_generator;
pub use adapters::{CDN, FakeSecrets, Fakes, MAIL_FROM, SecretsOf};
pub use nightly::deliver_night;
pub use registry::{Entry, function, functions};
pub use texts::{Delivered, text_message};
pub use warm::{Environment, Handled, environment};

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_auth::{EndpointSecrets, GatewaySeal, InvitationTokens, UnsubscribeSeal};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::http::{self, Body};
use consigne_runtime::queue::Message;
use consigne_runtime::{BatchFunction as _, HttpFunction as _, Request, Start, Wire as _, Wiring, clock};
use serde_json::{Value, json};

use crate::fakes::{SimClock, World};
use crate::openapi::answers::{self, Answered};
use crate::tokens::Issuer;
use adapters::secret;
use registry::Ran;

/// A service token that the functions in tests accept: that of the service `pdf-api`.
pub const SERVICE_TOKEN: &str = "svc-0123456789abcdef0123456789abcdef";

/// A service token that the functions in tests accept: that of the service `portal`, which may act for any user.
pub const PORTAL_TOKEN: &str = "svc-files-0123456789abcdef0123456789";
/// A service token that the functions in tests accept: that of the service `billing`, which may also say their plan.
pub const BILLING_TOKEN: &str = "svc-plans-0123456789abcdef0123456789";
/// The secret of the CDN in front of the functions in tests. What comes without it is not from the CDN.
pub const EDGE_SECRET: &str = "edge-0123456789abcdef";

/// The issuer of session tokens for all tests on fakes. Shared, because generating its key is slow.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::fresh("test-1"));

/// Returns the issuer of the session tokens that the functions in tests accept.
pub fn issuer() -> &'static Issuer {
    &ISSUER
}

/// Calls an HTTP function on a world. Returns status, body, and the headers that not every answer has.
pub async fn call(world: &World, name: &str, event: Value) -> Value {
    call_started(&Fakes::start(world), name, event).await
}

/// Like [`call`], with the settings of a start.
pub async fn call_started(start: &Start<Fakes>, name: &str, event: Value) -> Value {
    call_started_with_lines(start, name, event).await.0
}

/// Like [`call`], and returns the log lines of the request, too.
pub async fn call_with_lines(world: &World, name: &str, event: Value) -> (Value, Vec<Value>) {
    call_started_with_lines(&Fakes::start(world), name, event).await
}

async fn call_started_with_lines(start: &Start<Fakes>, name: &str, event: Value) -> (Value, Vec<Value>) {
    let ran = (function(name).run)(start, event.clone(), deadline()).await;
    let Ran { answer, lines } = ran.expect("a request gets an answer");
    assert_documented(&event, &answer);
    assert_discreet(&event, &lines);
    (shown(answer), lines)
}

/// Asserts that the log lines of a request have no token and no signed URL, and its caller's address in the audit of access
/// to files and nowhere else.
fn assert_discreet(event: &Value, lines: &[Value]) {
    let Some(address) = event["requestContext"]["http"]["sourceIp"].as_str() else { return };
    let audited = http::is_audited_route(event["routeKey"].as_str().unwrap_or_default());
    let token = event["headers"]["authorization"].as_str().and_then(|value| value.rsplit(' ').next());
    for line in lines {
        let secret = token.is_some_and(|token| token.len() > 20 && line.to_string().contains(token));
        assert!(
            !secret && !line.to_string().contains("X-Amz-Signature"),
            "the log has a token or a signed URL: {line}"
        );
        let mut rest = line.clone();
        // Several files have lines of their own, behind that of the request.
        if audited && (lines.len() == 1 || !rest["audit"].is_null()) {
            assert_eq!(rest["audit"]["ip"], address, "{line}");
            rest["audit"]["ip"] = Value::Null;
        }
        assert!(!rest.to_string().contains(address), "the log has the caller's address: {line}");
    }
}

/// Asserts that openapi.json describes the answer to an event, and the event's request if it succeeded.
fn assert_documented(event: &Value, answer: &Value) {
    let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (method, path) = (text_of(&event["requestContext"]["http"]["method"]), text_of(&event["rawPath"]));
    // The path is decoded, so it may have more segments than its route.
    let route = text_of(&event["routeKey"]);
    let path = route.split_once(' ').map_or(path.as_str(), |(_, path)| path).replace("+}", "}");
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD.decode(text).expect("the body is base64")
    } else {
        text.as_bytes().to_vec()
    };
    let answered = Answered {
        status: answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status"),
        content_type: answer["headers"]["content-type"].as_str().unwrap_or_default(),
        body: &body,
    };
    answers::assert_documented(&method, &path, &answered);
    if (200..300).contains(&answered.status) {
        let sent = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
        let query = text_of(&event["rawQueryString"]);
        let faults = answers::faults_of_accepted(&method, &path, &query, sent.as_ref());
        assert!(faults.is_empty(), "openapi.json forbids a request that is accepted: {faults:#?}");
    }
}

/// Passes a batch of records to a function. Returns its answer to Lambda.
pub async fn deliver(world: &World, name: &str, batch: Value) -> Value {
    deliver_until(world, name, batch, deadline()).await
}

/// Like [`deliver`], with the settings of a start.
pub async fn deliver_started(start: &Start<Fakes>, name: &str, batch: Value) -> Value {
    (function(name).run)(start, batch, deadline()).await.expect("a batch gets an answer").answer
}

/// Like [`deliver`], with a deadline for the invocation.
pub async fn deliver_until(world: &World, name: &str, batch: Value, until: SystemTime) -> Value {
    (function(name).run)(&Fakes::start(world), batch, until).await.expect("a batch gets an answer").answer
}

/// Runs a scheduled function on an event. Returns what it reports, or the chain of its error.
pub async fn tick(world: &World, name: &str, event: Value) -> Result<Value, String> {
    tick_started(&Fakes::start(world), name, event).await
}

/// Like [`tick`], with the settings of a start.
pub async fn tick_started(start: &Start<Fakes>, name: &str, event: Value) -> Result<Value, String> {
    let ran = (function(name).run)(start, event, deadline()).await;
    ran.map(|ran| ran.answer).map_err(|fault| fault.chain())
}

/// Wires a function, for tests that call it with something other than an event.
pub async fn wired<F>(start: &Start<Fakes>, wire: fn(&Start<Fakes>) -> Wiring<F>) -> F {
    registry::wired(wire(start)).await
}

/// Checks a key with `key-verify` at a given time. Returns `data` of the answer.
pub async fn verify_at(world: &World, event: Value, now: Timestamp) -> Value {
    let event = serde_json::from_value(event).expect("the payload is an HTTP event");
    let function = wired(&Fakes::start(world), key_verify::Function::wire).await;
    let answer = function.handle(&Request::from_event(event, now)).await;
    let Body::Json(body) = answer.expect("a check is answered").body else { panic!("the answer is JSON") };
    let text = body.to_string();
    let answered = Answered { status: 200, content_type: "application/json", body: text.as_bytes() };
    answers::assert_documented("POST", "/api/keys/verify", &answered);
    body["data"].clone()
}

/// Passes a Stripe event to `webhook-stripe`. Returns the log line of the invocation.
pub async fn stripe_notes(world: &World, event: Value) -> Value {
    let event = serde_json::from_value(event).expect("the payload is an HTTP event");
    let request = Request::from_event(event, clock::now());
    drop(wired(&Fakes::start(world), webhook_stripe::Function::wire).await.handle(&request).await);
    request.log.take("webhook-stripe", request.now).into()
}

/// Passes a message to `dispatch-webhook`, which uses the given clock.
pub async fn dispatch(world: &World, clock: &SimClock, message: &Message) -> Result<(), Fault> {
    let start = Fakes::start_with(world, clock, []);
    wired(&start, dispatch_webhook::Function::wire).await.handle(message).await
}

/// Passes a message to `send-mail`, in an installation that sends mails or one that does not.
pub async fn send_mail(world: &World, are_sent: bool, message: &Message) -> Result<(), Fault> {
    let start = if are_sent { Fakes::start(world) } else { Fakes::start_with(world, &SimClock::at(message.now), []) };
    wired(&start, send_mail::Function::wire).await.handle(message).await
}

/// Returns the seal of the links to unsubscribe.
pub fn unsubscribe_seal() -> UnsubscribeSeal {
    UnsubscribeSeal::new(secret("UNSUBSCRIBE_SECRET_ARN"))
}

/// Returns the seal with which `gateway` signs calls in tests.
pub fn gateway_seal() -> GatewaySeal {
    GatewaySeal::new(secret("GATEWAY_SECRET_ARN"))
}

/// Returns what derives the tokens of invitations in tests.
pub fn invitation_tokens() -> InvitationTokens {
    InvitationTokens::new(secret("INVITATION_SECRET_ARN"))
}

/// Returns what derives the secrets of endpoints in tests.
pub fn endpoint_secrets() -> EndpointSecrets {
    EndpointSecrets::new(secret("ENDPOINT_SECRET_ARN"))
}

/// Returns the default deadline of an invocation: ten seconds from now.
fn deadline() -> SystemTime {
    let now = u64::try_from(clock::now().as_millis()).expect("it is after 1970");
    UNIX_EPOCH + Duration::from_millis(now) + Duration::from_secs(10)
}

/// Returns an answer as the caller sees it, without the headers that every answer has.
fn shown(mut answer: Value) -> Value {
    let relayed = answer["isBase64Encoded"] == true;
    let text = answer["body"].as_str().map(str::to_owned);
    // The answer to a CORS preflight. A 204 that is relayed from an upstream is shown like any other relayed answer.
    if answer["statusCode"] == 204 && !relayed {
        return json!({ "status": 204, "body": text.is_some_and(|text| !text.is_empty()) });
    }
    let mut headers = answer["headers"].take();
    if relayed && headers["content-type"].is_null() {
        headers["content-type"] = "none".into();
    }
    let is_page = headers["content-type"] == "text/html; charset=utf-8";
    let headers = headers.as_object_mut().expect("an answer has headers");
    let everywhere = ["content-type", "cache-control", "x-content-type-options", "x-request-id"];
    for name in everywhere {
        assert!(headers.contains_key(name), "the answer lacks {name}");
    }
    let is_cached = headers["cache-control"].as_str().is_some_and(|control| !control.contains("no-store"));
    headers.retain(|name, _| !everywhere.contains(&name.as_str()) || (name == "cache-control" && is_cached));
    let text = text.expect("the body is text");
    let body = if is_page {
        text.into()
    } else if text.is_empty() && headers.contains_key("content-length") {
        // The answer to HEAD.
        Value::Null
    } else if relayed {
        // A relayed body may be anything, not only JSON.
        let bytes = STANDARD.decode(&text).expect("the body is base64");
        serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({ "base64": text }))
    } else {
        serde_json::from_str(&text).expect("the body is JSON")
    };
    let mut shown = json!({ "status": answer["statusCode"] });
    if !headers.is_empty() {
        shown["headers"] = Value::Object(std::mem::take(headers));
    }
    shown["body"] = body;
    shown
}
