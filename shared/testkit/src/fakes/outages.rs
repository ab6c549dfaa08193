//! Outages: every effect of a service that is down fails.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use consigne_core::Fault;

use super::World;

/// Services that are down, by the names that [`World::as_client_of`] gives. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages(Arc<Mutex<BTreeSet<&'static str>>>);

impl World {
    /// Makes every effect of a service fail from now on: `dynamodb`, `s3`, `sqs`, `events`, `secretsmanager`, `stripe` or
    /// `upstream`.
    pub fn take_down(&self, service: &'static str) {
        self.outages.0.lock().unwrap_or_else(PoisonError::into_inner).insert(service);
    }

    /// Makes every service answer again.
    pub fn bring_back(&self) {
        self.outages.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Returns the same world as the client of one service.
    #[must_use]
    pub fn as_client_of(&self, service: &'static str) -> Self {
        Self { service, ..self.clone() }
    }

    /// Returns an error if the service of this clone is down.
    ///
    /// # Errors
    /// `UNAVAILABLE`, as the adapters answer.
    pub fn reach(&self) -> Result<(), Fault> {
        let is_down = self.outages.0.lock().unwrap_or_else(PoisonError::into_inner).contains(self.service);
        if is_down { Err(Fault::unavailable(format!("planned: {} is down", self.service))) } else { Ok(()) }
    }
}
