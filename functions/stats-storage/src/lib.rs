//! Counts what all users store, by plan, from their ledgers, and stores the totals of the day.
//!
//! A count that is too long for one invocation continues with a message that contains the totals so far. A message may
//! come late or twice. An older count never replaces a newer one.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{KeepStorage, SendMessage, WalkLedgers};
use consigne_core::stats::{StorageBegun, StorageDay, StorageMessage, StorageTotals};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, remaining, settings};

/// Time reserved for storing the totals, or for sending the message that continues the count.
const RESERVE: Duration = Duration::from_secs(10);

function! {
    /// Ledgers, and the totals of each day.
    ledgers: A::Table = table(),
    /// Takes the message that continues a count too long for one invocation.
    queue: A::Queue = queue(&settings::STORAGE_QUEUE_URL),
}

impl<A: Adapters<Table: WalkLedgers + KeepStorage, Queue: SendMessage>> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let task = StorageMessage::parse(&message.body)?;
        message.log.field("storage.day", task.day.to_string());
        if !task.is_timely(message.now) {
            // The message is from an earlier night. What was stored then can no longer be counted.
            message.log.field("storage.too_old", true);
            return Ok(());
        }
        let day = task.day;
        let begun = task.begun.map(|begun| (begun.at, Some(begun.after), begun.totals));
        let (at, mut after, mut totals) = begun.unwrap_or((message.now, None, StorageTotals::default()));
        loop {
            let (ledgers, next) = self.ledgers.walk_ledgers(after.as_deref()).await?;
            for ledger in &ledgers {
                totals.count(ledger);
            }
            let Some(next) = next else { break };
            if remaining() < RESERVE {
                message.log.field("storage.to_be_continued", true);
                let task = StorageMessage { day, begun: Some(StorageBegun { at, after: next, totals }) };
                return self.queue.send_message(&task.message()?).await;
            }
            after = Some(next);
        }
        for (plan, stored) in totals.plans() {
            message.log.field(&format!("storage.{}", plan.name()), stored);
        }
        let kept = self.ledgers.keep_storage(&StorageDay { day, totals, counted_at: at }).await?;
        message.log.field("storage.kept", kept);
        Ok(())
    }
}
