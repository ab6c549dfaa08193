//! Deliveries: a webhook on its way to one endpoint, through all its attempts to its end.

mod message;
mod posted;
mod record;
mod schedule;
mod slot;
mod step;
mod view;

pub use message::{DeliveryMessage, Subject, SubscribedEvent};
pub use posted::{Post, Posted};
pub use record::{
    ATTEMPTS_KEPT, Attempt, Delivery, DeliveryStatus, KEPT, Line, REDELIVERIES_AN_HOUR, delivery_in_path,
    delivery_not_found, redelivery_hour, too_many_redeliveries,
};
pub use schedule::{LASTS, Next, WAITS, next};
pub use slot::{IN_FLIGHT_MAX, MoveOutcome, SLOT_WAIT_MAX, SLOT_WAIT_MIN, Slot, SlotChange};
pub use step::{Conclusion, DeliveryStep, LEASE, MARGIN, SNOOZE};
pub use view::{AttemptView, DeliveryView};
