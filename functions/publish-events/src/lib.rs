//! Carries events from the table's outbox to the bus.
//!
//! An entry stays in the outbox until the bus has it; should the stream stall or expire, `sweep` publishes what is left.

use consigne_core::Fault;
use consigne_core::ports::{ClearOutbox, PublishEvent, SendMessage};
use consigne_runtime::stream::Change;
use consigne_storage::outbox_entry_of_image;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, B, Q> {
    /// The outbox.
    pub table: F,
    /// The bus.
    pub bus: B,
    /// Takes what can never be published, so that the stream goes on.
    pub parking: Q,
}

/// Publishes one entry.
///
/// # Errors
/// When the bus or the table does not answer; the record comes again. Publishing twice is what the event's id is for.
pub async fn handle<F, B, Q>(deps: &Deps<F, B, Q>, change: &Change) -> Result<(), Fault>
where
    F: ClearOutbox,
    B: PublishEvent,
    Q: SendMessage,
{
    let entry = match outbox_entry_of_image(&change.new_image) {
        Ok(entry) => entry,
        Err(fault) => {
            change.log.field("event.parked", fault.chain());
            change.log.count("EventsParked");
            return deps.parking.send_message(&change.raw.to_string()).await;
        }
    };
    change.log.field("event.id", entry.id);
    change.log.field("event.kind", &entry.kind);
    deps.bus.publish_event(&entry).await?;
    deps.table.clear_outbox(entry.id).await?;
    change.log.count("EventsPublished");
    Ok(())
}
