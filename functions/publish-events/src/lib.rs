//! Publishes events from the table's outbox on the bus.
//!
//! An entry stays in the outbox until the bus has accepted it. If the stream stalls or its records expire, `sweep`
//! publishes what is left.

use consigne_core::Fault;
use consigne_core::ports::{ClearOutbox, PublishEvent, SendMessage};
use consigne_runtime::stream::Change;
use consigne_runtime::{Adapters, BatchFunction, function, settings};
use consigne_storage::outbox_entry_of_image;

function! {
    table: A::Table = table(),
    bus: A::Bus = bus(),
    /// Takes records that can never be published, so that they do not block the stream.
    parking: A::Queue = queue(&settings::PARKING_QUEUE_URL),
}

impl<A: Adapters<Table: ClearOutbox, Bus: PublishEvent, Queue: SendMessage>> BatchFunction for Function<A> {
    type Record = Change;

    /// Publishes one entry and removes it from the outbox.
    ///
    /// # Errors
    /// When the bus or the table does not answer. The record is delivered again, and the event may be published twice;
    /// consumers recognise it by its id.
    async fn handle(&self, change: &Change) -> Result<(), Fault> {
        let entry = match outbox_entry_of_image(&change.new_image) {
            Ok(entry) => entry,
            Err(fault) => {
                change.log.field("event.parked", fault.chain());
                change.log.count("EventsParked");
                return self.parking.send_message(&change.raw.to_string()).await;
            }
        };
        change.log.field("event.id", entry.id);
        change.log.field("event.kind", &entry.kind);
        self.bus.publish_event(&entry).await?;
        self.table.clear_outbox(entry.id).await?;
        change.log.count("EventsPublished");
        if entry.kind == "quota.exceeded" {
            change.log.count("StoragesNearlyFull");
        }
        Ok(())
    }
}
