//! Has every organisation's keys and wallets looked after, once a night: hands each organisation out as a message.
//!
//! Nothing depends on it. Quotas count in entries of their own period, and wallets settle when they are charged.

use consigne_core::Fault;
use consigne_core::maintenance::Maintenance;
use consigne_core::ports::{SendMessages, WalkOrgs};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, Pending, ScheduleFunction, Start, Wire, Wiring, fanout, settings};
use serde_json::{Value, json};

/// The function, with what it works with.
pub struct Function<A: Adapters> {
    orgs: A::Table,
    /// Takes those that are to be looked after.
    queue: A::Queue,
}

impl<A: Adapters> Wire<A> for Function<A> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        Ok(Pending::ready(Self { orgs: start.table()?, queue: start.queue(&settings::QUOTA_QUEUE_URL)? }))
    }
}

impl<A: Adapters<Table: WalkOrgs, Queue: SendMessages>> ScheduleFunction for Function<A> {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    /// Hands out a night's work.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let messages = |org| Ok(vec![Maintenance { org, at: tick.now, after: None }.message()?]);
        let orgs = fanout::for_every_org(&self.orgs, &self.queue, messages).await?;
        let done = json!({ "organisations": orgs });
        tick.log.field("quota.handed_out", &done);
        Ok(done)
    }
}
