//! Webhooks received, in memory.

use consigne_core::webhooks::{REMEMBERED, Received};

use super::State;

impl State {
    /// Says whether a webhook's id is known and, if so, whether it said the same.
    pub(super) fn received_before(&self, received: &Received) -> Option<bool> {
        let (fingerprint, ends) = self.received.get(&(received.source, received.id.to_string()))?;
        (*ends > received.at).then(|| *fingerprint == received.fingerprint)
    }

    /// Remembers a webhook.
    pub(super) fn receive(&mut self, received: &Received) {
        let ends = received.at.plus(REMEMBERED);
        let place = (received.source, received.id.to_string());
        self.received.insert(place, (received.fingerprint.clone(), ends));
    }
}
