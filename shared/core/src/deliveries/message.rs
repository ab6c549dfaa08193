//! Messages of the delivery queue: an event to deliver, or a delivery whose next attempt is due.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::endpoints::Audience;
use crate::events::EventKind;
use crate::{DeliveryId, EventId, Fault, OrgId, Timestamp, UserId};

/// Fields of an event's detail that a webhook has elsewhere, and not among its facts.
const STAMP: [&str; 2] = ["event_id", "occurred_at"];

/// Whom an event is about. Their endpoints get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An organisation, by its id.
    Org(OrgId),
    /// A person, by their id.
    Person(UserId),
}

/// An event of the bus that endpoints can subscribe to.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscribedEvent {
    /// Id of the event.
    pub id: EventId,
    /// Kind of the event.
    pub kind: EventKind,
    /// When it happened, as the event says.
    pub occurred_at: Timestamp,
    /// Whom it is about.
    pub subject: Subject,
    /// The webhook's body: type, time and facts, as JSON.
    pub payload: String,
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum DeliveryMessage {
    /// Deliver an event to the endpoints that subscribe to it.
    Tell(Box<SubscribedEvent>),
    /// Make the next attempt at a delivery.
    Attempt(OrgId, DeliveryId),
    /// Nothing: endpoints cannot subscribe to this event.
    Nothing,
}

/// The JSON of a message that asks for an attempt.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    org_id: String,
    delivery_id: String,
}

/// An event as `EventBridge` puts it on the queue. Source: Amazon `EventBridge` user guide, "Events".
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    detail_type: String,
    detail: Map<String, Value>,
}

impl DeliveryMessage {
    /// Parses a message.
    ///
    /// # Errors
    /// What is malformed, without any text of the message.
    pub fn parse(body: &str) -> Result<Self, &'static str> {
        if let Ok(ask) = serde_json::from_str::<Ask>(body) {
            let org = OrgId::parse(&ask.org_id).ok_or("org_id is malformed")?;
            let delivery = DeliveryId::parse(&ask.delivery_id).ok_or("delivery_id is malformed")?;
            return Ok(Self::Attempt(org, delivery));
        }
        let envelope: Envelope = serde_json::from_str(body).map_err(|_| "it is no errand and no event")?;
        SubscribedEvent::read(envelope).map(|heard| heard.map_or(Self::Nothing, |heard| Self::Tell(Box::new(heard))))
    }

    /// Encodes the message that asks for an attempt.
    ///
    /// # Errors
    /// `INTERNAL`, which does not happen.
    pub fn attempt(org: OrgId, delivery: DeliveryId) -> Result<String, Fault> {
        let ask = Ask { org_id: org.to_string(), delivery_id: delivery.to_string() };
        serde_json::to_string(&ask).map_err(Fault::internal)
    }
}

impl SubscribedEvent {
    fn read(envelope: Envelope) -> Result<Option<Self>, &'static str> {
        let mut detail = envelope.detail;
        let text =
            |detail: &Map<String, Value>, name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let id = text(&detail, STAMP[0]).and_then(|id| EventId::parse(&id)).ok_or("event_id is malformed")?;
        let at = text(&detail, STAMP[1]).ok_or("occurred_at is missing")?;
        let occurred_at = Timestamp::parse(&at).ok_or("occurred_at is malformed")?;
        let Some(kind) = EventKind::from_name(&envelope.detail_type) else { return Ok(None) };
        let subject = match kind.audience() {
            Audience::Nobody(_) => return Ok(None),
            Audience::Organisation => {
                Subject::Org(text(&detail, "org_id").and_then(|id| OrgId::parse(&id)).ok_or("org_id is malformed")?)
            }
            Audience::Person => {
                let user = text(&detail, "user_id").and_then(|id| UserId::parse(&id));
                Subject::Person(user.ok_or("user_id is malformed")?)
            }
        };
        detail.retain(|name, _| !STAMP.contains(&name.as_str()));
        let payload = json!({ "type": kind.name(), "timestamp": at, "data": detail }).to_string();
        Ok(Some(Self { id, kind, occurred_at, subject, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = "01M7YREWKH7VM7Z3Z2KWSH2FTR";
    const ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTR";

    fn event(kind: &str, detail: &Value) -> String {
        let mut stamped = json!({ "event_id": EVENT, "occurred_at": "2026-11-21T10:30:00Z" });
        stamped.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
        json!({ "version": "0", "detail-type": kind, "source": "consigne", "detail": stamped }).to_string()
    }

    #[test]
    fn an_event_is_told_to_whom_it_is_about_without_its_stamp() {
        let Ok(DeliveryMessage::Tell(heard)) =
            DeliveryMessage::parse(&event("wallet.low", &json!({ "org_id": ORG, "percent": 20 })))
        else {
            panic!("it is told");
        };
        assert_eq!(heard.subject, Subject::Org(OrgId::parse(ORG).unwrap()));
        let payload: Value = serde_json::from_str(&heard.payload).unwrap();
        let data = json!({ "org_id": ORG, "percent": 20 });
        assert_eq!(payload, json!({ "type": "wallet.low", "timestamp": "2026-11-21T10:30:00Z", "data": data }));
        // A personal event goes to its person, even if it should ever name an organisation too.
        let both = json!({ "user_id": "user_ann1", "org_id": ORG });
        let Ok(DeliveryMessage::Tell(heard)) = DeliveryMessage::parse(&event("job.completed", &both)) else {
            panic!("it is told")
        };
        assert_eq!(heard.subject, Subject::Person(UserId::parse("user_ann1").unwrap()));
    }

    #[test]
    fn what_nobody_hears_of_is_passed_over_and_what_cannot_be_read_is_said() {
        assert_eq!(
            DeliveryMessage::parse(&event("job.requested", &json!({ "user_id": "user_ann1" }))),
            Ok(DeliveryMessage::Nothing)
        );
        assert_eq!(DeliveryMessage::parse(&event("job.sung", &json!({}))), Ok(DeliveryMessage::Nothing));
        for bad in [
            String::new(),
            "{}".to_owned(),
            "[]".to_owned(),
            event("wallet.low", &json!({})),
            event("wallet.low", &json!({ "org_id": "org_x" })),
            event("job.completed", &json!({ "user_id": "ann" })),
            event("job.completed", &json!({ "user_id": "user_ann1", "event_id": 1 })),
            event("job.completed", &json!({ "user_id": "user_ann1", "occurred_at": "soon" })),
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
