//! Has every organisation's keys and wallets looked after, once a night: hands each organisation out as a message.
//!
//! Nothing depends on it. Quotas count in entries of their own period, and wallets settle when they are charged.

use consigne_core::Fault;
use consigne_core::maintenance::Maintenance;
use consigne_core::ports::{SendMessages, WalkOrgs};
use consigne_runtime::fanout;
use consigne_runtime::schedule::Tick;
use serde_json::{Value, json};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, Q> {
    /// The organisations.
    pub orgs: F,
    /// Takes those that are to be looked after.
    pub queue: Q,
}

/// Hands out a night's work.
pub async fn handle<F: WalkOrgs, Q: SendMessages>(deps: &Deps<F, Q>, tick: &Tick) -> Result<Value, Fault> {
    let messages = |org| Ok(vec![Maintenance { org, at: tick.now, after: None }.message()?]);
    let orgs = fanout::for_every_org(&deps.orgs, &deps.queue, messages).await?;
    let done = json!({ "organisations": orgs });
    tick.log.field("quota.handed_out", &done);
    Ok(done)
}
