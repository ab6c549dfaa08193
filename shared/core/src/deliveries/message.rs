//! Messages of the delivery queue: an event to deliver, or a delivery whose next attempt is due.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::events::{EventKind, EventMessage, MalformedEvent};
use crate::{DeliveryId, EndpointId, EventId, Fault, OrgId, Timestamp, UserId};

/// The organisation or person that an event is about, whose endpoints get it, or the one endpoint that gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An organisation, by its id.
    Org(OrgId),
    /// A person, by their id.
    Person(UserId),
    /// An endpoint of an organisation, by their ids.
    Endpoint(OrgId, EndpointId),
}

/// An event of the bus that endpoints can subscribe to.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscribedEvent {
    /// Id of the event.
    pub id: EventId,
    /// Kind of the event.
    pub kind: EventKind,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The organisation or person it is about.
    pub subject: Subject,
    /// The body of the webhooks: type, time and data of the event, as JSON.
    pub payload: String,
}

/// A parsed message: what the worker has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryMessage {
    /// Deliver an event to the endpoints that subscribe to it.
    Event(Box<SubscribedEvent>),
    /// Make the next attempt at a delivery.
    Attempt(OrgId, DeliveryId),
    /// Do nothing: endpoints cannot subscribe to this event, or this version does not know it.
    Nothing,
}

/// The JSON of a message that requests an attempt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AttemptMessage {
    org_id: OrgId,
    delivery_id: DeliveryId,
}

impl DeliveryMessage {
    /// Parses a message.
    ///
    /// # Errors
    /// If the text is neither a request for an attempt nor a well-formed event.
    pub fn parse(body: &str) -> Result<Self, MalformedEvent> {
        if let Ok(AttemptMessage { org_id, delivery_id }) = serde_json::from_str(body) {
            return Ok(Self::Attempt(org_id, delivery_id));
        }
        let subscribed = SubscribedEvent::of(EventMessage::parse(body)?);
        Ok(subscribed.map_or(Self::Nothing, |event| Self::Event(Box::new(event))))
    }

    /// Encodes the message that requests an attempt.
    ///
    /// # Errors
    /// `INTERNAL` if the JSON encoding fails, which it does not for this type.
    pub fn attempt(org: OrgId, delivery: DeliveryId) -> Result<String, Fault> {
        serde_json::to_string(&AttemptMessage { org_id: org, delivery_id: delivery }).map_err(Fault::internal)
    }
}

impl SubscribedEvent {
    /// Returns what endpoints receive of an event, or `None` if they cannot subscribe to it or this version does not
    /// know it. Fields that this version does not know are passed on.
    fn of(message: EventMessage) -> Option<Self> {
        let EventMessage { id, occurred_at, data, facts, .. } = message;
        let data = data?;
        let (kind, subject) = (data.kind(), data.subject()?);
        let payload = json!({ "type": kind.name(), "timestamp": occurred_at, "data": facts }).to_string();
        Some(Self { id, kind, occurred_at, subject, payload })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const EVENT: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";
    const ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTR";

    fn event(kind: &str, detail: &Value) -> String {
        let mut stamped = json!({ "event_id": EVENT, "occurred_at": "2026-11-21T10:30:00Z" });
        stamped.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
        json!({ "version": "0", "detail-type": kind, "source": "consigne", "detail": stamped }).to_string()
    }

    fn completed(user: &str) -> Value {
        json!({
            "job_id": "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1", "user_id": user, "kind": "image", "title": "A lighthouse",
            "status": "completed", "files": ["user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-phare.png"],
        })
    }

    fn changed(name: &str, value: Value) -> Value {
        let mut detail = completed("user_ann1");
        detail[name] = value;
        detail
    }

    #[test]
    fn an_event_is_sent_to_its_subject_without_event_id_and_time() {
        // The last one is of a later version than this.
        let data = json!({ "org_id": ORG, "percent": 20, "balance": 200, "reference": 1_000, "since": "yesterday" });
        let Ok(DeliveryMessage::Event(subscribed)) = DeliveryMessage::parse(&event("wallet.low", &data)) else {
            panic!("endpoints can subscribe to it");
        };
        assert_eq!(subscribed.subject, Subject::Org(OrgId::parse(ORG).unwrap()));
        assert_eq!(
            subscribed.payload,
            json!({ "type": "wallet.low", "timestamp": "2026-11-21T10:30:00Z", "data": data }).to_string()
        );
        // A personal event goes to its person, even if it should ever name an organisation too.
        let mut both = completed("user_ann1");
        both["org_id"] = json!(ORG);
        let Ok(DeliveryMessage::Event(subscribed)) = DeliveryMessage::parse(&event("job.completed", &both)) else {
            panic!("endpoints can subscribe to it")
        };
        assert_eq!(subscribed.subject, Subject::Person(UserId::parse("user_ann1").unwrap()));
    }

    #[test]
    fn events_without_subscribers_are_ignored_and_malformed_messages_are_errors() {
        let requested = json!({
            "job_id": "job_01M7YREWKH7VM7Z3Z2KWSH2FTRann1", "user_id": "user_ann1", "kind": "book", "topic": "t",
            "uploads_url": "https://a", "callback_url": "https://b", "deadline": "2026-11-21T11:30:00Z",
        });
        assert_eq!(DeliveryMessage::parse(&event("job.requested", &requested)), Ok(DeliveryMessage::Nothing));
        assert_eq!(DeliveryMessage::parse(&event("job.sung", &json!({}))), Ok(DeliveryMessage::Nothing));
        for bad in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            event("wallet.low", &json!({})),
            event("wallet.low", &json!({ "org_id": "org_x" })),
            event("wallet.low", &json!({ "org_id": "org_x", "percent": 20, "balance": 200, "reference": 1_000 })),
            event("job.completed", &completed("ann")),
            event("job.completed", &changed("event_id", json!(1))),
            event("job.completed", &changed("occurred_at", json!("soon"))),
            json!({ "org_id": ORG, "delivery_id": "dlv_x" }).to_string(),
        ] {
            assert!(DeliveryMessage::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attempt_reads_back() {
        let (org, delivery) = (OrgId::parse(ORG).unwrap(), DeliveryId::derive(&["x"]));
        assert_eq!(
            DeliveryMessage::parse(&DeliveryMessage::attempt(org, delivery).unwrap()),
            Ok(DeliveryMessage::Attempt(org, delivery))
        );
    }
}
