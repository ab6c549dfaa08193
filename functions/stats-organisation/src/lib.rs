//! Counts one day of an organisation from its receipts, and stores the figures.
//!
//! Every count starts from zero, and its figures replace the earlier ones. So a message may come late or twice, even while
//! another one counts the same day.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::credits::RECEIPT_KEPT;
use consigne_core::events::{Event, EventData, StatsReady};
use consigne_core::ports::{KeepStats, ReadCalls, SendMessage};
use consigne_core::stats::{Begun, DaySpan, DayStats, StatsMessage, Tally};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, remaining, settings};
use consigne_usecases::calls::read_calls;

/// Time reserved for storing the figures, or for sending the message that continues the count.
const RESERVE: Duration = Duration::from_secs(10);

function! {
    /// Receipts and statistics.
    stats: A::Table = table(),
    /// Takes messages that continue the count of a day too large for one invocation.
    queue: A::Queue = queue(&settings::STATS_QUEUE_URL),
}

impl<A: Adapters<Table: ReadCalls + KeepStats, Queue: SendMessage>> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let StatsMessage { org, day, begun } = StatsMessage::parse(&message.body)?;
        message.log.field("org.id", org);
        message.log.field("stats.day", day.to_string());
        if day.starts().plus(RECEIPT_KEPT) <= message.now {
            // The first receipts of the day have expired, so a new count would be too low. Keep the stored figures.
            message.log.field("stats.too_old", true);
            return Ok(());
        }
        let begun = begun.map(|begun| (begun.at, Some(begun.after), begun.tally));
        let (at, after, mut tally) = begun.unwrap_or((message.now, None, Tally::default()));
        let count = |call: &_| tally.count(call);
        let left = read_calls(&self.stats, org, DaySpan::of(day), after, count, || remaining() > RESERVE).await?;
        if let Some(after) = left {
            message.log.field("stats.to_be_continued", true);
            let task = StatsMessage { org, day, begun: Some(Begun { at, after, tally }) };
            return self.queue.send_message(&task.message()?).await;
        }
        let figures = tally.figures();
        message.log.field("stats.requests", figures.requests);
        if figures.requests == 0 {
            return Ok(());
        }
        let ready = Event::new(message.now, EventData::StatsReady(StatsReady { org_id: org, date: day }));
        let kept = self.stats.keep_stats(&DayStats { org, day, figures, counted_at: at }, &ready).await?;
        message.log.field("stats.kept", format!("{kept:?}"));
        Ok(())
    }
}
