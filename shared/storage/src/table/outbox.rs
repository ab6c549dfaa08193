//! The outbox. An event is written in the transaction of the change that it announces, and deleted once it is
//! published.

use consigne_core::events::{Event, OUTBOX_MARGIN, OutboxEntry};
use consigne_core::ports::ClearOutbox;
use consigne_core::{EventId, Fault};

use crate::table::item::{Item, Reader, key, number, text};
use crate::table::{Table, due};

/// Sort key of every outbox entry.
pub(crate) const SK: &str = "OUTBOX";

fn pk(id: EventId) -> String {
    format!("OUTBOX#{id}")
}

/// Builds the item of an event.
pub(crate) fn write(event: &Event) -> Item {
    Item::from([
        ("pk".to_owned(), text(pk(event.id))),
        ("sk".to_owned(), text(SK)),
        ("event_kind".to_owned(), text(event.kind().name())),
        ("detail".to_owned(), text(event.detail().to_string())),
        ("occurred_at".to_owned(), number(event.occurred_at.as_millis())),
        (due::SHARD.to_owned(), text(due::shard(&event.id.to_string()))),
        (due::AT.to_owned(), number(event.occurred_at.plus(OUTBOX_MARGIN).as_millis())),
    ])
}

/// Reads an entry from its item.
pub(crate) fn read(item: &Item) -> Result<OutboxEntry, Fault> {
    let reader = Reader(item);
    Ok(OutboxEntry {
        id: reader.parsed("pk", |pk| EventId::parse(pk.strip_prefix("OUTBOX#")?))?,
        kind: reader.text("event_kind")?.to_owned(),
        detail: reader.text("detail")?.to_owned(),
        occurred_at: reader.time("occurred_at")?,
    })
}

impl ClearOutbox for Table {
    async fn clear_outbox(&self, event: EventId) -> Result<(), Fault> {
        self.delete(key(pk(event), SK)).await
    }
}

/// Reads an entry from the `NewImage` of a stream record, which is in DynamoDB's JSON.
///
/// # Errors
/// `INTERNAL` if the image is not a well-formed outbox entry.
pub fn outbox_entry_of_image(image: &serde_json::Value) -> Result<OutboxEntry, Fault> {
    let attributes = image.as_object().into_iter().flatten().filter_map(|(name, value)| {
        let text_of = |kind| value.get(kind).and_then(serde_json::Value::as_str);
        let value = text_of("S").map(text).or_else(|| text_of("N").map(number))?;
        Some((name.clone(), value))
    });
    read(&attributes.collect())
}

#[cfg(test)]
mod tests {
    use consigne_core::events::{EventData, StatsReady};
    use consigne_core::periods::Day;
    use consigne_core::{OrgId, Timestamp};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_reads_back_from_the_item_and_from_the_stream() {
        let now = Timestamp::from_secs(5);
        let ready = StatsReady { org_id: OrgId::derive(&["a"]), date: Day::of(now) };
        let event = Event::new(now, EventData::StatsReady(ready));
        let entry = read(&write(&event)).unwrap();
        assert_eq!((entry.id, entry.kind.as_str()), (event.id, "stats.ready"));
        let image = json!({
            "pk": {"S": pk(event.id)}, "sk": {"S": SK}, "event_kind": {"S": "stats.ready"},
            "detail": {"S": event.detail().to_string()}, "occurred_at": {"N": "5000"}, "due_at": {"N": "125000"},
        });
        assert_eq!(outbox_entry_of_image(&image).unwrap(), entry);
        for poison in [json!({}), json!(null), json!({"pk": {"S": "OUTBOX#x"}}), json!({"pk": {"S": pk(event.id)}})] {
            assert!(outbox_entry_of_image(&poison).is_err());
        }
    }
}
