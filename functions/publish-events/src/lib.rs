//! Carries events from the table's outbox to the bus.
//!
//! An entry stays in the outbox until the bus has it; should the stream stall or expire, `sweep` publishes what is left.

use consigne_core::Fault;
use consigne_core::ports::{ClearOutbox, PublishEvent, SendMessage};
use consigne_runtime::stream::Change;
use consigne_runtime::{Adapters, BatchFunction, function, settings};
use consigne_storage::outbox_entry_of_image;

function! {
    table: A::Table = table(),
    bus: A::Bus = bus(),
    /// Takes what can never be published, so that the stream goes on.
    parking: A::Queue = queue(&settings::PARKING_QUEUE_URL),
}

impl<A: Adapters<Table: ClearOutbox, Bus: PublishEvent, Queue: SendMessage>> BatchFunction for Function<A> {
    type Record = Change;

    /// Publishes one entry.
    ///
    /// # Errors
    /// When the bus or the table does not answer; the record comes again. Publishing twice is what the event's id is for.
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
        Ok(())
    }
}
