//! Converts a delivery to and from its item.

use consigne_core::deliveries::{Attempt, Delivery, DeliveryStatus, Line};
use consigne_core::events::EventKind;
use consigne_core::{DeliveryId, EndpointId, EventId, Fault, OrgId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::table::due;
use crate::table::item::{Item, Reader, add, key, number, text};

/// Sort key of every delivery.
pub(crate) const SK: &str = "DELIVERY";

/// An attempt, as the item stores it in JSON.
#[derive(Serialize, Deserialize)]
struct StoredAttempt {
    number: u32,
    at: i64,
    status_code: Option<u16>,
    duration_ms: Option<u64>,
    error: Option<String>,
    response: String,
}

pub(crate) fn delivery_key(org: OrgId, id: DeliveryId) -> Item {
    key(format!("DELIVERY#{org}#{id}"), SK)
}

/// Returns the partition of an endpoint's deliveries in `gsi1`.
pub(crate) fn of_endpoint(endpoint: EndpointId) -> String {
    format!("ENDPOINT#{endpoint}#DELIVERIES")
}

/// Returns the partition of an endpoint's deliveries of one status in `gsi2`.
pub(crate) fn of_status(endpoint: EndpointId, status: DeliveryStatus) -> String {
    format!("ENDPOINT#{endpoint}#{}", status.name())
}

pub(crate) fn write(delivery: &Delivery) -> Result<Item, Fault> {
    let mut item = delivery_key(delivery.org, delivery.id);
    let millis = |at: Timestamp| number(at.as_millis());
    let id = delivery.id.to_string();
    item.insert("org_id".to_owned(), text(delivery.org.to_string()));
    item.insert("delivery_id".to_owned(), text(&id));
    item.insert("endpoint_id".to_owned(), text(delivery.endpoint.to_string()));
    item.insert("event_id".to_owned(), text(delivery.event.to_string()));
    item.insert("event_kind".to_owned(), text(delivery.kind.name()));
    add(&mut item, "person", delivery.person.as_ref().map(|person| text(person.as_str())));
    item.insert("payload".to_owned(), text(&delivery.payload));
    item.insert("delivery_status".to_owned(), text(delivery.status.name()));
    item.insert("created_at".to_owned(), millis(delivery.created_at));
    item.insert("began_at".to_owned(), millis(delivery.began));
    item.insert("tries".to_owned(), number(delivery.tries));
    item.insert("attempts_made".to_owned(), number(delivery.attempts_made));
    add(&mut item, "next_at", delivery.next_at.map(millis));
    add(&mut item, "in_line", delivery.in_line.map(|line| text(line.name())));
    add(&mut item, "open_at", delivery.open.map(millis));
    let attempts: Vec<StoredAttempt> = delivery.attempts.iter().map(store).collect();
    item.insert("attempts".to_owned(), text(serde_json::to_string(&attempts).map_err(Fault::internal)?));
    item.insert("revision".to_owned(), number(delivery.revision));
    item.insert("ttl".to_owned(), number(delivery.kept_until().as_secs()));
    item.insert("gsi1pk".to_owned(), text(of_endpoint(delivery.endpoint)));
    item.insert("gsi1sk".to_owned(), text(&id));
    item.insert("gsi2pk".to_owned(), text(of_status(delivery.endpoint, delivery.status)));
    item.insert("gsi2sk".to_owned(), text(&id));
    if let Some(wake) = delivery.wake_at {
        item.insert(due::SHARD.to_owned(), text(due::shard(&id)));
        item.insert(due::AT.to_owned(), millis(wake));
    }
    Ok(item)
}

/// Reads a delivery from its item.
pub(crate) fn read(item: &Item) -> Result<Delivery, Fault> {
    let reader = Reader(item);
    let attempts: Vec<StoredAttempt> = reader.parsed("attempts", |text| serde_json::from_str(text).ok())?;
    Ok(Delivery {
        id: reader.parsed("delivery_id", DeliveryId::parse)?,
        org: reader.parsed("org_id", OrgId::parse)?,
        endpoint: reader.parsed("endpoint_id", EndpointId::parse)?,
        event: reader.parsed("event_id", EventId::parse)?,
        kind: reader.parsed("event_kind", EventKind::from_name)?,
        person: reader.optional_parsed("person", UserId::parse)?,
        payload: reader.text("payload")?.to_owned(),
        status: reader.parsed("delivery_status", DeliveryStatus::from_name)?,
        created_at: reader.time("created_at")?,
        began: reader.time("began_at")?,
        tries: reader.number("tries")?,
        attempts_made: reader.number("attempts_made")?,
        next_at: reader.optional_time("next_at"),
        wake_at: reader.optional_time(due::AT),
        // Earlier versions wrote `yes` for the endpoint's line.
        in_line: reader.optional_text("in_line").map(|line| Line::from_name(line).unwrap_or(Line::Endpoint)),
        open: reader.optional_time("open_at"),
        attempts: attempts.into_iter().map(restore).collect(),
        revision: reader.number("revision")?,
    })
}

fn store(attempt: &Attempt) -> StoredAttempt {
    let Attempt { number, at, status_code, duration_ms, error, response } = attempt.clone();
    StoredAttempt { number, at: at.as_millis(), status_code, duration_ms, error, response }
}

fn restore(stored: StoredAttempt) -> Attempt {
    let StoredAttempt { number, at, status_code, duration_ms, error, response } = stored;
    Attempt { number, at: Timestamp::from_millis(at), status_code, duration_ms, error, response }
}
