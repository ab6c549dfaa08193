//! Events as consumers receive them: messages that `EventBridge` puts on their queues.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_path_to_error::{Error, Segment};

use super::{EventData, EventKind};
use crate::{EventId, Timestamp};

/// An event of the bus, as a consumer receives it from its queue.
#[derive(Clone, Debug, PartialEq)]
pub struct EventMessage {
    /// Id of the event. Consumers remember it, so that each handles the event once.
    pub id: EventId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The `detail-type`, whether this version knows it or not.
    pub detail_type: String,
    /// Data of the event; `None` if this version does not know the kind.
    pub data: Option<EventData>,
    /// The data as received, including fields that this version does not know, for consumers that pass it on.
    pub facts: Map<String, Value>,
}

/// The parts of the message that matter here. Source: Amazon `EventBridge` user guide, "Events".
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    detail_type: String,
    detail: Map<String, Value>,
}

/// The fields that the `detail` of every kind has.
#[derive(Deserialize)]
struct Stamp {
    event_id: EventId,
    occurred_at: Timestamp,
}

impl EventMessage {
    /// Parses a message. Unknown fields are ignored.
    ///
    /// # Errors
    /// If it is not an event, or a field that events of its kind have is missing or malformed.
    pub fn parse(body: &str) -> Result<Self, MalformedEvent> {
        let Envelope { detail_type, detail: mut facts } =
            serde_json::from_str(body).map_err(|_| MalformedEvent("the message is not an event".to_owned()))?;
        let Stamp { event_id: id, occurred_at } =
            serde_path_to_error::deserialize(&facts).map_err(|error| MalformedEvent::of(&error))?;
        let kind = EventKind::from_name(&detail_type);
        let data = kind.map(|kind| EventData::read(kind, &facts)).transpose();
        let data = data.map_err(|error| MalformedEvent::of(&error))?;
        facts.retain(|name, _| name != "event_id" && name != "occurred_at");
        Ok(Self { id, occurred_at, detail_type, data, facts })
    }
}

/// Why a message could not be parsed. It quotes nothing of the message, which may contain personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MalformedEvent(String);

impl MalformedEvent {
    /// Names the malformed field of the detail, or the detail itself if a field is missing.
    fn of(error: &Error<serde_json::Error>) -> Self {
        // Only the first part of the path: deeper parts may be text from the message.
        let field = match error.path().iter().next() {
            Some(Segment::Map { key }) => key.as_str(),
            _ => "detail",
        };
        Self(format!("{field} is malformed"))
    }
}

impl fmt::Display for MalformedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MalformedEvent {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(kind: &str, detail: &Value) -> String {
        json!({ "version": "0", "detail-type": kind, "source": "consigne", "detail": detail }).to_string()
    }

    fn revoked() -> Value {
        json!({
            "event_id": "01M7YREWKH7VM7Z3Z2KWSH2FTS", "occurred_at": "2026-11-21T10:30:00Z",
            "org_id": "org_01M7YREWKH7VM7Z3Z2KWSH2FTR", "key_id": "key_01M7YREWKH7VM7Z3Z2KWSH2FTS",
            "name": "secret name", "actor": "operator:root",
        })
    }

    #[test]
    fn an_unknown_field_is_ignored_and_can_be_passed_on() {
        let mut detail = revoked();
        detail["since"] = json!({ "version": 2 });
        let known = EventMessage::parse(&message("key.revoked", &revoked())).unwrap();
        let more = EventMessage::parse(&message("key.revoked", &detail)).unwrap();
        assert_eq!((&more.data, more.id, more.occurred_at), (&known.data, known.id, known.occurred_at));
        assert_eq!(json!(more.facts)["since"], json!({ "version": 2 }));
        let names: Vec<&str> = known.facts.keys().map(String::as_str).collect();
        assert_eq!(names, ["org_id", "key_id", "name", "actor"], "in the order in which they came");
    }

    #[test]
    fn an_unknown_kind_has_an_id_and_no_data() {
        let stamp = json!({ "event_id": "01M7YREWKH7VM7Z3Z2KWSH2FTS", "occurred_at": "2026-11-21T10:30:00Z" });
        let sung = EventMessage::parse(&message("job.sung", &stamp)).unwrap();
        assert_eq!((sung.data, sung.detail_type.as_str(), sung.id.to_string().len()), (None, "job.sung", 26));
        assert!(EventMessage::parse(&message("job.sung", &json!({}))).is_err());
    }

    #[test]
    fn a_malformed_field_is_named_and_not_quoted() {
        let error = |body: &str| EventMessage::parse(body).unwrap_err().to_string();
        for body in ["", "[]", "{}", r#"{"detail-type": "key.revoked", "detail": "secret"}"#] {
            assert_eq!(error(body), "the message is not an event", "{body}");
        }
        for (name, value) in [
            ("event_id", json!("secret")),
            ("occurred_at", json!("soon")),
            ("org_id", json!("org_secret")),
            ("key_id", json!({ "secret": 1 })),
            ("name", json!(["secret"])),
            ("actor", json!("secret@example.com")),
        ] {
            let mut detail = revoked();
            detail[name] = value;
            assert_eq!(error(&message("key.revoked", &detail)), format!("{name} is malformed"));
            detail.as_object_mut().unwrap().remove(name);
            assert_eq!(error(&message("key.revoked", &detail)), "detail is malformed", "{name} is missing");
        }
        let odd = json!({ "secret": 1 });
        let mut disabled = revoked();
        (disabled["endpoint_id"], disabled["host"], disabled["reason"]) =
            (json!("ep_01M7YREWKH7VM7Z3Z2KWSH2FTS"), json!("h"), odd);
        assert_eq!(error(&message("endpoint.disabled", &disabled)), "reason is malformed");
    }
}
