//! Endpoints and deliveries for tests, and the stand-in for customers' servers, which receives webhooks.

use std::collections::BTreeSet;

use consigne_core::deliveries::{Delivery, DeliveryMessage, SubscribedEvent};
use consigne_core::endpoints::{Endpoint, EndpointStatus, HookUrl};
use consigne_core::events::EventKind;
use consigne_core::pacing::Rate;
use consigne_core::{EndpointId, EventId, OrgId, Timestamp, UserId};
use serde_json::{Value, json};

use crate::stack::Stack;

/// Creates an endpoint that is subscribed to two kinds of event.
pub fn endpoint(org: OrgId, user: &UserId, now: Timestamp) -> Endpoint {
    Endpoint {
        org,
        id: EndpointId::mint(now),
        url: HookUrl::kept("https://hooks.example.com/consigne?token=t").expect("it is an address"),
        events: BTreeSet::from([EventKind::KeyRevoked, EventKind::JobCompleted]),
        rate: Rate::default(),
        status: EndpointStatus::Active,
        generation: 1,
        previous_until: None,
        failing_since: None,
        created_by: user.clone(),
        created_at: now,
        revision: 1,
    }
}

/// Returns an event as JSON text, as EventBridge sends it to a queue.
pub fn event(kind: EventKind, now: Timestamp, facts: &Value) -> String {
    let mut detail = json!({ "event_id": EventId::mint(now), "occurred_at": now });
    for (name, value) in facts.as_object().into_iter().flatten() {
        detail[name] = value.clone();
    }
    json!({ "detail-type": kind.name(), "source": "consigne", "detail": detail }).to_string()
}

/// Creates the event that a key was revoked.
pub fn revoked(org: OrgId, now: Timestamp) -> SubscribedEvent {
    let facts = json!({ "org_id": org, "key_id": "key_01M7YREWKH7VM7Z3Z2KWSH2FTS", "name": "K", "actor": "user_ann1" });
    match DeliveryMessage::parse(&event(EventKind::KeyRevoked, now, &facts)) {
        Ok(DeliveryMessage::Event(subscribed)) => *subscribed,
        other => panic!("endpoints can subscribe to it: {other:?}"),
    }
}

/// Creates a delivery of the event that a key was revoked.
pub fn delivery(endpoint: &Endpoint, now: Timestamp) -> Delivery {
    Delivery::of(&revoked(endpoint.org, now), endpoint, None, now)
}

/// Sets how the stand-in answers webhooks to a name, and with which secrets they must be signed.
pub async fn plan(stack: &Stack, name: &str, secrets: &[&str], answers: &Value) {
    let url = format!("{}/_plan/{name}", stack.name("RECEIVER_URL"));
    let plan = json!({ "secrets": secrets, "answers": answers });
    let answer = stack.client.send("PUT", &url, &[], plan.to_string().into_bytes()).await;
    assert_eq!(answer.status, 200);
}

/// Returns the webhooks that the stand-in received for a name.
pub async fn seen(stack: &Stack, name: &str) -> Vec<Value> {
    let url = format!("{}/_seen/{name}", stack.name("RECEIVER_URL"));
    let answer = stack.client.send("GET", &url, &[], Vec::new()).await.json();
    answer["webhooks"].as_array().cloned().unwrap_or_default()
}
