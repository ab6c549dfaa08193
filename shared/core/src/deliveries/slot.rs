//! Slots: how many calls of one organisation's endpoints may be in flight at the same time. So an organisation whose
//! endpoints do not answer leaves workers to the others.

use std::time::Duration;

use super::LEASE;
use crate::{DeliveryId, Timestamp};

/// Most calls of an organisation's endpoints in flight at the same time.
pub const IN_FLIGHT_MAX: u32 = 10;
/// Shortest wait of a delivery that finds no slot.
pub const SLOT_WAIT_MIN: Duration = Duration::from_secs(2);
/// Longest wait of a delivery that finds no slot, before jitter is added.
pub const SLOT_WAIT_MAX: Duration = Duration::from_hours(1);

/// The slot of one attempt. It is a lease: if it is not given back, it ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// When the lease ends.
    pub until: Timestamp,
    /// The delivery that is attempted.
    pub delivery: DeliveryId,
}

impl Slot {
    /// Returns the slot of an attempt that starts at a time. It lasts as long as the attempt's own lease.
    pub fn of(delivery: DeliveryId, started: Timestamp) -> Self {
        Self { until: started.plus(LEASE), delivery }
    }

    /// Returns when its attempt started.
    pub fn started(self) -> Timestamp {
        self.until.minus(LEASE)
    }

    /// Returns whether the lease has ended.
    pub fn is_over(self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// What a step of a delivery does with a slot of its organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotChange {
    /// Takes one, on condition that fewer than [`IN_FLIGHT_MAX`] are taken.
    Take(Slot),
    /// Gives it back. Giving it back twice, or after its lease has ended, changes nothing.
    GiveBack(Slot),
}

/// The outcome of a step of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum MoveOutcome {
    /// It was written.
    Committed,
    /// The delivery or its endpoint has changed since it was read. Nothing was written.
    Conflict,
    /// All slots of the organisation are taken. Nothing was written.
    NoSlot,
}

impl MoveOutcome {
    /// Returns whether it was written.
    pub fn is_committed(self) -> bool {
        self == Self::Committed
    }
}
