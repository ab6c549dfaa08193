//! The events that functions get in a drill: HTTP requests, messages, changes of the table and ticks.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use consigne_core::Timestamp;
use consigne_core::events::OutboxEntry;
use consigne_core::stats::{StatsMessage, StorageMessage};
use serde_json::{Value, json};

use crate::template::template;
use crate::{functions, payload};

static REQUEST: LazyLock<Value> = LazyLock::new(|| payload::event("key-verify", "charge", ""));
static CREATED: LazyLock<Value> = LazyLock::new(|| body_of("created"));
static DELETED: LazyLock<Value> = LazyLock::new(|| body_of("deleted"));
/// The rules of the bus whose targets are functions of the drill, with the kinds of event that each passes on.
static RULES: LazyLock<Vec<(&'static str, Vec<String>)>> = LazyLock::new(|| {
    let resources = template()["Resources"].take();
    [("MailRule", "send-mail"), ("DeliveryRule", "dispatch-webhook"), ("CdnRule", "cdn-invalidate")]
        .map(|(rule, function)| {
            let kinds = &resources[rule]["Properties"]["EventPattern"]["detail-type"];
            (function, serde_json::from_value(kinds.clone()).expect("a rule has kinds of event"))
        })
        .into()
});
/// Session tokens by person and time. Signing one takes longer than most requests.
static TOKENS: LazyLock<Mutex<BTreeMap<(&'static str, i64), String>>> = LazyLock::new(Mutex::default);

fn body_of(case: &str) -> Value {
    let event = payload::event("on-object-event", case, "");
    serde_json::from_str(event["Records"][0]["body"].as_str().expect("a message has a body")).expect("it is JSON")
}

/// Returns the session token of a person at a time.
pub fn token(person: &'static str, now: Timestamp) -> String {
    let issued = now.as_secs() / 200 * 200;
    let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = || {
        let times = json!({ "iat": issued, "nbf": issued, "exp": issued + 300,
            "public_metadata": { "subscription": "pro" } });
        functions::issuer().token_with(person, &times)
    };
    tokens.entry((person, issued)).or_insert_with(fresh).clone()
}

/// Creates a request to a route. `parameters` are the values of the route's parameters, in order.
pub fn request(route: &str, parameters: &[&str], bearer: &str, body: &Value) -> Value {
    let mut event = REQUEST.clone();
    let (method, pattern) = route.split_once(' ').expect("a route has a method");
    let (mut path, mut values) = (pattern.to_owned(), json!({}));
    for value in parameters {
        let (Some(from), Some(to)) = (path.find('{'), path.find('}')) else { break };
        values[path[from + 1..to].trim_end_matches('+')] = (*value).into();
        path.replace_range(from..=to, value);
    }
    event["routeKey"] = route.into();
    event["requestContext"]["routeKey"] = route.into();
    event["requestContext"]["http"]["method"] = if method == "ANY" { "POST" } else { method }.into();
    event["rawPath"] = path.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
    event["pathParameters"] = values;
    event["body"] = if body.is_null() { Value::Null } else { body.to_string().into() };
    let headers = event["headers"].as_object_mut().expect("a request has headers");
    headers.remove("idempotency-key");
    match bearer {
        "" => drop(headers.remove("authorization")),
        bearer => drop(headers.insert("authorization".to_owned(), format!("Bearer {bearer}").into())),
    }
    event
}

/// Adds an idempotency key to a request.
pub fn keyed(mut request: Value, key: &str) -> Value {
    request["headers"]["idempotency-key"] = key.into();
    request
}

/// Creates the event of a schedule.
pub fn tick(now: Timestamp) -> Value {
    json!({ "time": now.to_string() })
}

/// Creates S3's event about a version of an object, which was created or deleted.
pub fn object(key: &str, version: &str, size: u64, created: bool, number: u64) -> Value {
    let mut body = if created { CREATED.clone() } else { DELETED.clone() };
    let object = &mut body["detail"]["object"];
    object["key"] = key.into();
    object["version-id"] = version.into();
    object["size"] = size.into();
    object["sequencer"] = format!("0055AED6{number:010X}").into();
    body
}

/// Creates the change of the table that an event was put into the outbox.
pub fn change(entry: &OutboxEntry, number: u64) -> Value {
    let place = format!("OUTBOX#{}", entry.id);
    let text = |text: &str| json!({ "S": text });
    let at = json!({ "N": entry.occurred_at.as_millis().to_string() });
    let image = json!({ "pk": text(&place), "sk": text("OUTBOX"), "event_kind": text(&entry.kind), "occurred_at": at,
        "detail": text(&entry.detail) });
    json!({ "eventID": format!("event-{number}"), "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "dynamodb": { "NewImage": image, "SequenceNumber": number.to_string() } })
}

/// Returns the event as EventBridge passes it on.
pub fn envelope(entry: &OutboxEntry) -> Value {
    let detail: Value = serde_json::from_str(&entry.detail).expect("details are JSON");
    json!({ "version": "0", "id": entry.id.to_string(), "detail-type": entry.kind, "source": "consigne",
        "account": "123456789012", "time": entry.occurred_at, "region": "eu-west-3", "resources": [],
        "detail": detail })
}

/// Returns the functions to which the bus passes an event on.
pub fn targets(event: &Value) -> Vec<&'static str> {
    let kind = event["detail-type"].as_str().unwrap_or_default();
    let known = RULES.iter().filter(|(_, kinds)| kinds.iter().any(|known| known == kind));
    let mut targets: Vec<&'static str> = known.map(|(function, _)| *function).collect();
    if kind == "job.requested" && matches!(event["detail"]["kind"].as_str(), Some("book" | "blog")) {
        targets.push("generate-worker");
    }
    targets
}

/// Returns the function that reads the queue to which a message was sent. The fake keeps the messages of all queues
/// together.
pub fn reader(body: &str) -> &'static str {
    let parsed: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    if !parsed["delivery_id"].is_null() {
        "dispatch-webhook"
    } else if !parsed["job_id"].is_null() {
        "generate-worker"
    } else if StatsMessage::parse(body).is_ok() {
        "stats-organisation"
    } else if StorageMessage::parse(body).is_ok() {
        "stats-storage"
    } else {
        "quota-organisation"
    }
}
