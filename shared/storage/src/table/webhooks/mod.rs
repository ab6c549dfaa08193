//! Webhooks: deliveries to customers' endpoints, and received webhooks.

pub(crate) mod deliveries;
pub(crate) mod delivery_item;
pub(crate) mod endpoints;
pub(crate) mod pacing;
pub(crate) mod received;
pub(crate) mod slots;
