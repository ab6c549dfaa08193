//! The functions of the night: schedules that hand work out, and those behind their queues.

use std::time::SystemTime;

use consigne_core::Timestamp;
use consigne_core::stats::{StatsMessage, StorageErrand};
use consigne_runtime::http::Body;
use consigne_runtime::{Request, queue, schedule};
use serde_json::{Value, json};

use super::{deadline, finder, service_tokens};
use crate::fakes::World;

/// Lets `stats-aggregate` run as of a time and gives what it has done.
pub async fn aggregate_at(world: &World, event: Value) -> Result<Value, String> {
    let event: schedule::Scheduled = serde_json::from_value(event).expect("the payload is a scheduled event");
    let deps = stats_aggregate::Deps { orgs: world.clone(), queue: world.clone(), storage: world.clone() };
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

/// Hands a batch of messages to `stats-storage`, which must be done by a moment, and gives what Lambda is told.
pub async fn storage_messages(world: &World, batch: Value, until: SystemTime) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = stats_storage::Deps { ledgers: world.clone(), queue: world.clone() };
    let name = "stats-storage";
    json!(queue::process(name, &deps, &|d, m| Box::pin(stats_storage::handle(d, m)), batch, until).await)
}

/// Lets `quota-reset` run as of a time and gives what it has done.
pub async fn quota_reset_at(world: &World, event: Value) -> Result<Value, String> {
    let event: schedule::Scheduled = serde_json::from_value(event).expect("the payload is a scheduled event");
    let deps = quota_reset::Deps { orgs: world.clone(), queue: world.clone() };
    let name = "quota-reset";
    let outcome = schedule::process(name, &deps, &|d, t| Box::pin(quota_reset::handle(d, t)), &event, deadline());
    outcome.await.map_err(|fault| fault.chain())
}

/// Hands a batch of messages to `quota-organisation`, which must be done by a moment, and gives what Lambda is told.
pub async fn quota_messages(world: &World, batch: Value, until: SystemTime) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = quota_organisation::Deps { accounts: world.clone(), queue: world.clone() };
    let name = "quota-organisation";
    json!(queue::process(name, &deps, &|d, m| Box::pin(quota_organisation::handle(d, m)), batch, until).await)
}

/// Checks a key by another clock than that of today, and gives `data` of the answer.
pub async fn verify_at(world: &World, event: Value, now: Timestamp) -> Value {
    let event = serde_json::from_value(event).expect("the payload is an HTTP event");
    let deps = key_verify::Deps { services: service_tokens(), finder: finder(), keys: world.clone() };
    let answer = key_verify::handle(&deps, &Request::from_event(event, now)).await;
    let Body::Json(body) = answer.expect("a check is answered").body else { panic!("the answer is JSON") };
    body["data"].clone()
}

/// Delivers what the night has put on its queue, and what comes of that, until nothing is left: one message at a time, and
/// again those that failed, as SQS does.
pub async fn deliver_night(world: &World) {
    let soon = || deadline() + std::time::Duration::from_secs(20);
    loop {
        let mut next = None;
        world.change(|state| next = if state.messages.is_empty() { None } else { Some(state.messages.remove(0)) });
        let Some(body) = next else { return };
        let batch = json!({ "Records": [{ "messageId": "m1", "body": body }] });
        // A queue's messages are of one kind; here all kinds lie together.
        let told = if StatsMessage::parse(&body).is_ok() {
            stats_messages(world, batch, soon()).await
        } else if StorageErrand::parse(&body).is_ok() {
            storage_messages(world, batch, soon()).await
        } else {
            quota_messages(world, batch, soon()).await
        };
        if told != json!({ "batchItemFailures": [] }) {
            world.change(|state| state.messages.insert(0, body));
        }
    }
}
