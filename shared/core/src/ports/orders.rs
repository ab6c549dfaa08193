//! Ports for orders.

use super::{Listed, PageAsk, PortFuture};
use crate::idempotency::CommitOutcome;
use crate::orders::{OldOrder, Order, OrderErasure, OrderStatus, OrderStep};
use crate::{OrderId, Timestamp};

/// Records an order that was paid for. `dynamodb:PutItem`.
pub trait OpenOrder {
    /// Records the order. Returns `Conflict` if it was recorded before, even if it is erased; nothing is written then.
    fn open_order(&self, order: &Order) -> impl PortFuture<CommitOutcome>;
}

/// Reads one order. `dynamodb:GetItem`.
pub trait GetOrder {
    /// Returns the order, or `None` if there is none or it was erased.
    fn get_order(&self, order: OrderId) -> impl PortFuture<Option<Order>>;
}

/// Lists the orders of a status, those that have had it for the shortest time first. `dynamodb:Query`.
pub trait ListOrders {
    /// Returns a page.
    fn list_orders(&self, status: OrderStatus, page: &PageAsk) -> impl PortFuture<Listed<Order>>;
}

/// Changes an order by one step, with the records of the photos that it grants or changes, in one transaction.
/// `dynamodb:PutItem`.
pub trait ApplyOrderStep {
    /// Applies the step. Returns `Conflict` if the order or one of the photos has changed since it was read.
    fn apply_order_step(&self, step: &OrderStep) -> impl PortFuture<CommitOutcome>;
}

/// Orders that have had a status for a long time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OldOrders {
    /// Those that can be read, the oldest first.
    pub orders: Vec<OldOrder>,
    /// Partition keys of those that cannot be read.
    pub unreadable: Vec<String>,
}

/// Finds orders that have had a status for a long time. `dynamodb:Query`.
pub trait FindOldOrders {
    /// Returns at most `limit` orders that have had the status since before a time, the oldest ones.
    fn find_old_orders(&self, status: OrderStatus, before: Timestamp, limit: u32) -> impl PortFuture<OldOrders>;
}

/// Erases an order, in one transaction with the closing that deletes its photos and, if an operator does it, an audit
/// entry. `dynamodb:PutItem`.
pub trait EraseOrder {
    /// Erases the order. Returns `Conflict` if it has changed since it was read, or is erased already.
    fn erase_order(&self, erasure: &OrderErasure) -> impl PortFuture<CommitOutcome>;
}
