//! Computes the step of an order that follows from a step of one of its photos.

use consigne_core::files::{File, Status, Transition};
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
    if matches!(step.file.status, Status::Processing | Status::Ready) && !order.names(&step.file) {
        return Ok(File::reject_unasked(step, now));
    }
    let follows = order.follow(&step.file, now);
    Ok(Transition { order: follows.map(Box::new), ..step })
}
