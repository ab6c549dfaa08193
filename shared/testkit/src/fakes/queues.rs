//! Queues in memory: one for whatever is sent at once, one for what is to be received later.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{SendLater, SendMessage, SendMessages};

use super::World;

/// Longest time for which a queue holds a message back.
const DELAY_MAX: u64 = 15 * 60;

impl SendMessage for World {
    async fn send_message(&self, body: &str) -> Result<(), Fault> {
        self.effect(|state| state.messages.push(body.to_owned()))
    }
}

impl SendMessages for World {
    async fn send_messages(&self, bodies: &[String]) -> Result<(), Fault> {
        self.effect(|state| state.messages.extend_from_slice(bodies))
    }
}

impl SendLater for World {
    async fn send_later(&self, body: &str, wait: Duration) -> Result<(), Fault> {
        let wait = Duration::from_secs(wait.as_secs().min(DELAY_MAX));
        self.effect(|state| state.later.push((body.to_owned(), wait)))
    }
}
