//! Computes the step of an order that follows from a step of one of its photos.

use consigne_core::files::{File, Status, Transition};
use consigne_core::orders::Order;
use consigne_core::ports::GetOrder;
use consigne_core::{Fault, OrderId, Timestamp};

/// Adds to a photo's step the step of its order that follows from it, if there is one. An upload whose form was replaced by
/// a newer one is rejected instead.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub(crate) async fn follow(
    orders: &impl GetOrder,
    id: OrderId,
    step: Transition,
    now: Timestamp,
) -> Result<Transition, Fault> {
    let Some(order) = orders.get_order(id).await? else { return Ok(step) };
    Ok(follow_in(&order, step, now))
}

/// Does the same for a photo that has arrived. It is rejected if its order was erased, too.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub(crate) async fn follow_arrival(
    orders: &impl GetOrder,
    id: OrderId,
    step: Transition,
    now: Timestamp,
) -> Result<Transition, Fault> {
    Ok(match orders.get_order(id).await? {
        Some(order) => follow_in(&order, step, now),
        None if is_kept(&step) => File::reject_unasked(step, now),
        None => step,
    })
}

fn follow_in(order: &Order, step: Transition, now: Timestamp) -> Transition {
    if is_kept(&step) && !order.names(&step.file) {
        return File::reject_unasked(step, now);
    }
    let follows = order.follow(&step.file, now);
    Transition { order: follows.map(Box::new), ..step }
}

/// Returns whether a step keeps an upload.
const fn is_kept(step: &Transition) -> bool {
    matches!(step.file.status, Status::Processing | Status::Ready)
}
