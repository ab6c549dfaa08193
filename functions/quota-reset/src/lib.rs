//! Starts the nightly maintenance of keys and wallets: sends one message per organisation.
//!
//! No charge depends on it: quotas are counted per period, and lots expire when their wallet is next charged.

use consigne_core::Fault;
use consigne_core::maintenance::Maintenance;
use consigne_core::ports::{SendMessages, WalkOrgs};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, fanout, function, settings};
use serde_json::{Value, json};

function! {
    orgs: A::Table = table(),
    /// Takes the messages for organisations to maintain.
    queue: A::Queue = queue(&settings::QUOTA_QUEUE_URL),
}

impl<A: Adapters<Table: WalkOrgs, Queue: SendMessages>> ScheduleFunction for Function<A> {
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let messages = |org| Ok(vec![Maintenance { org, at: tick.now, after: None }.message()?]);
        let orgs = fanout::for_every_org(&self.orgs, &self.queue, messages).await?;
        let done = json!({ "organisations": orgs });
        tick.log.field("quota.handed_out", &done);
        Ok(done)
    }
}
