//! Erases orders that are older than the installation keeps them.

use std::time::Duration;

use consigne_core::orders::OrderStatus;
use consigne_core::ports::{EraseOrder, FindOldOrders};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::{needs, remaining};

use crate::RESERVE;

/// Orders of a status that one run erases at most. The next run goes on.
const ORDERS: u32 = 100;
/// Orders for which nobody waits any more. One that was only paid for has nothing personal and can still be submitted.
const ENDED: [OrderStatus; 2] = [OrderStatus::Submitted, OrderStatus::Expired];

needs! {
    /// The ports that erase orders. Each stands for one IAM action.
    pub trait EraseOrders: FindOldOrders + EraseOrder
}

/// Erases the orders that were submitted or have expired longer ago than `kept`. Returns their number.
pub(crate) async fn erase_old<T: EraseOrders>(table: &T, kept: Option<Duration>, now: Timestamp) -> Result<u32, Fault> {
    let Some(kept) = kept else { return Ok(0) };
    let mut erased = 0;
    for status in ENDED {
        for order in table.find_old_orders(status, now.minus(kept), ORDERS).await? {
            if remaining() < RESERVE {
                return Ok(erased);
            }
            // A conflict means that the customer has sent something meanwhile, or that the index lags behind.
            erased += u32::from(table.erase_order(&order.erase(None, now)).await?.is_committed());
        }
    }
    Ok(erased)
}
