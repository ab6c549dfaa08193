//! Erases orders that are older than the installation keeps them.

use std::time::Duration;

use consigne_core::orders::OrderStatus;
use consigne_core::ports::{EraseOrder, FindOldOrders};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::{needs, remaining};

use crate::RESERVE;

/// Orders of a status that one run looks at. The next run goes on.
const ORDERS: u32 = 100;
/// Orders for which nobody waits any more. One that was only paid for has nothing personal and can still be submitted.
const ENDED: [OrderStatus; 2] = [OrderStatus::Submitted, OrderStatus::Expired];

needs! {
    /// The ports that erase orders. Each stands for one IAM action.
    pub trait EraseOrders: FindOldOrders + EraseOrder
}

/// Erases the orders that were submitted or have expired longer ago than `kept`. Returns their number. What cannot be read
/// or erased is passed to `fail`, and does not keep the others waiting.
pub(crate) async fn erase_old<T: EraseOrders>(
    table: &T,
    kept: Option<Duration>,
    now: Timestamp,
    mut fail: impl FnMut(&Fault),
) -> u32 {
    let Some(kept) = kept else { return 0 };
    let mut erased = 0;
    for status in ENDED {
        if remaining() < RESERVE {
            return erased;
        }
        let old = match table.find_old_orders(status, now.minus(kept), ORDERS).await {
            Ok(old) => old,
            Err(fault) => {
                fail(&fault);
                continue;
            }
        };
        for key in &old.unreadable {
            fail(&Fault::internal(format!("the item {key} cannot be read")));
        }
        for order in old.orders {
            if remaining() < RESERVE {
                return erased;
            }
            match table.erase_order(&order.erase(now)).await {
                // A conflict means that the customer has sent something meanwhile, or that the index lags behind.
                Ok(outcome) => erased += u32::from(outcome.is_committed()),
                Err(fault) => fail(&fault),
            }
        }
    }
    erased
}
