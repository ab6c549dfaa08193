//! The nightly work: what a schedule hands out, delivered.

use std::time::Duration;

use consigne_core::stats::{StatsMessage, StorageErrand};
use serde_json::json;

use super::{deadline, deliver_until};
use crate::fakes::World;

/// Delivers what the night has put on its queue, and what comes of that, until nothing is left: one message at a time, and
/// again those that failed, as SQS does.
pub async fn deliver_night(world: &World) {
    loop {
        let mut next = None;
        world.change(|state| next = if state.messages.is_empty() { None } else { Some(state.messages.remove(0)) });
        let Some(body) = next else { return };
        let batch = json!({ "Records": [{ "messageId": "m1", "body": body }] });
        // A queue's messages are of one kind; here all kinds lie together.
        let function = if StatsMessage::parse(&body).is_ok() {
            "stats-organisation"
        } else if StorageErrand::parse(&body).is_ok() {
            "stats-storage"
        } else {
            "quota-organisation"
        };
        let told = deliver_until(world, function, batch, deadline() + Duration::from_secs(20)).await;
        if told != json!({ "batchItemFailures": [] }) {
            world.change(|state| state.messages.insert(0, body));
        }
    }
}
