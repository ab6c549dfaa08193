//! The key desk's schedules on fakes.

use consigne_runtime::schedule::{self, Handling, Scheduled, Tick};
use serde_json::Value;

use super::deadline;
use crate::fakes::World;

/// Lets `migration-deadline` run as of a time and gives what it has done.
pub async fn migrations_at(world: &World, event: Value) -> Result<Value, String> {
    let deps = migration_deadline::Deps { table: world.clone() };
    tick("migration-deadline", deps, |deps, tick| Box::pin(migration_deadline::handle(deps, tick)), event).await
}

/// Lets `anomaly-detect` run as of a time and gives what it has done.
pub async fn anomalies_at(world: &World, event: Value) -> Result<Value, String> {
    let deps = anomaly_detect::Deps { table: world.clone() };
    tick("anomaly-detect", deps, |deps, tick| Box::pin(anomaly_detect::handle(deps, tick)), event).await
}

async fn tick<D>(
    name: &str,
    deps: D,
    handle: impl for<'a> Fn(&'a D, &'a Tick) -> Handling<'a>,
    event: Value,
) -> Result<Value, String> {
    let event: Scheduled = serde_json::from_value(event).expect("the payload is a scheduled event");
    schedule::process(name, &deps, &handle, &event, deadline()).await.map_err(|fault| fault.chain())
}
