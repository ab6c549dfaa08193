//! Starts the nightly statistics: sends one message per organisation and day to be counted, and one to count what all
//! users store.
//!
//! Every night counts three days: the one that has ended, and the two before it again, because outcomes may be reported
//! late. The `time` of the scheduled event decides which night it is, so any night can be repeated.

use consigne_core::Fault;
use consigne_core::periods::Day;
use consigne_core::ports::{SendMessage, SendMessages, WalkOrgs};
use consigne_core::stats::{StatsMessage, StorageMessage, days_of_night};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, fanout, function, settings};
use serde_json::{Value, json};

function! {
    orgs: A::Table = table(),
    /// Takes the messages for days to count.
    queue: A::Queue = queue(&settings::STATS_QUEUE_URL),
    /// Takes the message to count stored bytes.
    storage: A::Queue = queue(&settings::STORAGE_QUEUE_URL),
}

impl<A: Adapters<Table: WalkOrgs, Queue: SendMessages, Queue: SendMessage>> ScheduleFunction for Function<A> {
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        self.storage.send_message(&StorageMessage::new(Day::of(tick.now)).message()?).await?;
        let days = days_of_night(tick.now);
        let messages = |org| days.clone().map(|day| StatsMessage::new(org, day).message()).collect();
        let orgs = fanout::for_every_org(&self.orgs, &self.queue, messages).await?;
        let done = json!({ "organisations": orgs, "days": days.map(|day| day.to_string()).collect::<Vec<_>>() });
        tick.log.field("stats.handed_out", &done);
        Ok(done)
    }
}
