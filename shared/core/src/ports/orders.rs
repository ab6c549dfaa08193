//! Ports for orders.

use super::{Listed, PageAsk, PortFuture};
use crate::OrderId;
use crate::idempotency::CommitOutcome;
use crate::orders::{Order, OrderStatus, OrderStep};

/// Records an order that was paid for. `dynamodb:PutItem`.
pub trait OpenOrder {
    /// Records the order. Returns `Conflict` if it was recorded before; nothing is written then.
    fn open_order(&self, order: &Order) -> impl PortFuture<CommitOutcome>;
}

/// Reads one order. `dynamodb:GetItem`.
pub trait GetOrder {
    /// Returns the order, or `None` if there is none.
    fn get_order(&self, order: OrderId) -> impl PortFuture<Option<Order>>;
}

/// Lists the orders of a status, those that have had it for the shortest time first. `dynamodb:Query`.
pub trait ListOrders {
    /// Returns a page.
    fn list_orders(&self, status: OrderStatus, page: &PageAsk) -> impl PortFuture<Listed<Order>>;
}

/// Changes an order by one step, with the records of the photos that it grants or discards, in one transaction.
/// `dynamodb:PutItem`.
pub trait ApplyOrderStep {
    /// Applies the step. Returns `Conflict` if the order or one of the photos has changed since it was read.
    fn apply_order_step(&self, step: &OrderStep) -> impl PortFuture<CommitOutcome>;
}
