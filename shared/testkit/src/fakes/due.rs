//! Fakes for due things, and for publishing the outbox on the bus.

use consigne_core::events::{OUTBOX_MARGIN, OutboxEntry};
use consigne_core::ports::{ClearOutbox, Due, FindDue, PublishEvent};
use consigne_core::{EventId, Fault, Timestamp};

use super::World;
use crate::schemas;

impl FindDue for World {
    /// Time and name of the last thing on the previous page.
    type Walk = Option<(Timestamp, String)>;

    async fn find_due(&self, now: Timestamp, limit: u32, walk: &mut Self::Walk) -> Result<Vec<Due>, Fault> {
        self.effect(|state| {
            let files = state.files.values().filter_map(|file| {
                let at = file.due_at()?;
                Some(((at, file.key.to_string()), Due::File(Box::new(file.clone()))))
            });
            let events = state.outbox.iter().map(|(id, entry)| {
                ((entry.occurred_at.plus(OUTBOX_MARGIN), id.to_string()), Due::Event(entry.clone()))
            });
            let jobs = state.jobs.jobs.values();
            let jobs =
                jobs.filter_map(|job| Some(((job.due_at()?, job.id.to_string()), Due::Job(Box::new(job.clone())))));
            let holds = state.accounts.holds.values();
            let holds = holds
                .filter_map(|hold| Some(((hold.due_at()?, hold.id.to_string()), Due::Hold(Box::new(hold.clone())))));
            let orders = state.orders.values();
            let orders = orders.filter_map(|order| {
                Some(((order.due_at()?, order.id.to_string()), Due::Order(Box::new(order.clone()))))
            });
            let deliveries = state.hooks.due();
            let due = files.chain(events).chain(jobs).chain(holds).chain(orders).chain(deliveries);
            let mut due: Vec<_> = due.filter(|((at, _), _)| *at <= now).collect();
            due.retain(|(place, _)| walk.as_ref().is_none_or(|last| place > last));
            due.sort_by(|(a, _), (b, _)| a.cmp(b));
            due.truncate(limit as usize);
            *walk = due.last().map(|(place, _)| place.clone()).or(walk.take());
            due.into_iter().map(|(_, due)| due).collect()
        })
    }
}

impl PublishEvent for World {
    async fn publish_event(&self, entry: &OutboxEntry) -> Result<(), Fault> {
        schemas::assert_valid(&entry.kind, &entry.detail);
        self.effect(|state| state.published.push(entry.clone()))
    }
}

impl ClearOutbox for World {
    async fn clear_outbox(&self, event: EventId) -> Result<(), Fault> {
        self.effect(|state| state.outbox.retain(|(id, _)| *id != event))
    }
}
