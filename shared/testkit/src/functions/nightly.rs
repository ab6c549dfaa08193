//! Delivers the messages that the nightly schedules send.

use std::time::Duration;

use consigne_core::stats::{StatsMessage, StorageMessage};
use serde_json::json;

use super::{deadline, deliver_until};
use crate::fakes::World;

/// Delivers all messages of the nightly queues, and those that follow from them, until none is left. It delivers one
/// message at a time and repeats those that failed, as SQS does.
pub async fn deliver_night(world: &World) {
    loop {
        let mut next = None;
        world.change(|state| next = if state.messages.is_empty() { None } else { Some(state.messages.remove(0)) });
        let Some(body) = next else { return };
        let batch = json!({ "Records": [{ "messageId": "m1", "body": body }] });
        // The fake keeps the messages of all queues together, so choose the function by what parses.
        let function = if StatsMessage::parse(&body).is_ok() {
            "stats-organisation"
        } else if StorageMessage::parse(&body).is_ok() {
            "stats-storage"
        } else {
            "quota-organisation"
        };
        let answer = deliver_until(world, function, batch, deadline() + Duration::from_secs(20)).await;
        if answer != json!({ "batchItemFailures": [] }) {
            world.change(|state| state.messages.insert(0, body));
        }
    }
}
