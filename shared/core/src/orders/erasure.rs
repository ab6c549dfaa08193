//! The erasure of an order: its photos, answers and address are deleted, and it cannot be submitted again.

use super::Order;
use crate::audit::AuditEntry;
use crate::credits::PaymentId;
use crate::profiles::Closing;
use crate::{OrderId, Timestamp, UserId};

/// The erasure of an order, ready to be written.
///
/// One transaction replaces the record by a mark that has nothing personal. The mark stays, so that the payment cannot be
/// used again and a repeated event of Stripe records nothing. A closing is written with it, by which `account-close` deletes
/// the photos, as those of a closed account.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderErasure {
    /// Id of the order.
    pub order: OrderId,
    /// The payment that it was for.
    pub payment: PaymentId,
    /// The revision that the record must still have.
    pub seen: u64,
    /// When it is erased.
    pub at: Timestamp,
    /// Entry of the audit log, if an operator erases it.
    pub audit: Option<AuditEntry>,
}

/// What the erasure of an order needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldOrder {
    /// Id of the order.
    pub id: OrderId,
    /// The payment that it was for.
    pub payment: PaymentId,
    /// The revision of the record.
    pub revision: u64,
}

impl Order {
    /// Returns the erasure of the order.
    pub fn erase(&self, audit: Option<AuditEntry>, now: Timestamp) -> OrderErasure {
        OrderErasure { order: self.id, payment: self.payment.clone(), seen: self.revision, at: now, audit }
    }
}

impl OldOrder {
    /// Returns the erasure of the order.
    pub fn erase(&self, now: Timestamp) -> OrderErasure {
        OrderErasure { order: self.id, payment: self.payment.clone(), seen: self.revision, at: now, audit: None }
    }
}

impl OrderErasure {
    /// Returns the closing by which the photos are deleted.
    pub fn closing(&self) -> Closing {
        Closing::begin(UserId::of_order(self.order), self.at)
    }
}
