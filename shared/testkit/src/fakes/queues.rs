//! Fakes for queues: one for all messages without a delay, one for those with a delay.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::ports::{DELAY_MAX, SendLater, SendMessage, SendMessages};

use super::World;

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
        let wait = Duration::from_secs(wait.min(DELAY_MAX).as_secs());
        self.effect(|state| state.later.push((body.to_owned(), wait)))
    }
}
