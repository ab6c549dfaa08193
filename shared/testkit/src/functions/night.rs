//! The functions of the night: schedules that hand work out, and those behind their queues.

use std::time::SystemTime;

use consigne_runtime::{queue, schedule};
use serde_json::{Value, json};

use super::deadline;
use crate::fakes::World;

/// Lets `stats-aggregate` run as of a time and gives what it has done.
pub async fn aggregate_at(world: &World, event: Value) -> Result<Value, String> {
    let event: schedule::Scheduled = serde_json::from_value(event).expect("the payload is a scheduled event");
    let deps = stats_aggregate::Deps { orgs: world.clone(), queue: world.clone() };
    let name = "stats-aggregate";
    let outcome = schedule::process(name, &deps, &|d, t| Box::pin(stats_aggregate::handle(d, t)), &event, deadline());
    outcome.await.map_err(|fault| fault.chain())
}

/// Hands a batch of messages to `stats-organisation`, which must be done by a moment, and gives what Lambda is told.
pub async fn stats_messages(world: &World, batch: Value, until: SystemTime) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = stats_organisation::Deps { stats: world.clone(), queue: world.clone() };
    let name = "stats-organisation";
    json!(queue::process(name, &deps, &|d, m| Box::pin(stats_organisation::handle(d, m)), batch, until).await)
}

/// Delivers what the night has put on its queue, and what comes of that, until nothing is left: one message at a time, and
/// again those that failed, as SQS does.
pub async fn deliver_night(world: &World) {
    loop {
        let mut next = None;
        world.change(|state| next = if state.messages.is_empty() { None } else { Some(state.messages.remove(0)) });
        let Some(body) = next else { return };
        let batch = json!({ "Records": [{ "messageId": "m1", "body": body }] });
        let told = stats_messages(world, batch, deadline()).await;
        if told != json!({ "batchItemFailures": [] }) {
            world.change(|state| state.messages.insert(0, body));
        }
    }
}
