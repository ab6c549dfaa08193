//! Ends what did not end by itself: grants nobody used, deletions that were cut short, events that were not published, jobs
//! nobody delivered, holds nobody resolved, and whatever a closed account has left behind; and wakes webhooks that are due.
//!
//! Nothing here is on anyone's way; it runs every five minutes and looks only at what has been due for a while.

mod closing;

use std::time::Duration;

pub use closing::Closes;
use consigne_core::credits::ResolutionOutcome;
use consigne_core::deliveries::{Delivery, DeliveryMessage, SNOOZE};
use consigne_core::files::{File, Removal, Status};
use consigne_core::jobs::StepOutcome;
use consigne_core::ports::{
    ApplyTransition, ClearOutbox, Due, FindDue, GetJob, PublishEvent, ReadHead, RemoveVersion, ResolveHold,
    SendMessage, SnoozeDelivery,
};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::remaining;
use consigne_runtime::schedule::Tick;
use consigne_runtime::uploads::note_checked;
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::{ArrivalSource, Checked, check_arrival};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, O, B, Q> {
    /// The table.
    pub table: F,
    /// The objects.
    pub objects: O,
    /// The bus.
    pub bus: B,
    /// Takes deliveries that are due.
    pub deliveries: Q,
}

/// Things looked at between two questions to the table.
const PAGE: u32 = 100;
/// Time kept for the answer; what is left over waits for the next run.
const RESERVE: Duration = Duration::from_secs(5);

/// How late a delivery may be before somebody should hear of it.
const LATE: Duration = Duration::from_mins(20);

/// What a run has done.
#[derive(Debug, Default)]
struct Tally {
    expired: u32,
    arrived: u32,
    removed: u32,
    published: u32,
    overdue: u32,
    released: u32,
    closed: u32,
    woken: u32,
    failed: u32,
}

/// What was done about one thing.
enum Done {
    Expired,
    Arrived,
    Removed,
    Published,
    Overdue,
    Released,
    Closed,
    Woken,
    /// It was ended by somebody else meanwhile, or goes on at the next run.
    Nothing,
}

impl Tally {
    /// Counts what was done. What failed is left for the next run, and everything behind it is looked at in this one.
    fn count(&mut self, done: Result<Done, Fault>, tick: &Tick) {
        let counter = match done {
            Ok(Done::Expired) => &mut self.expired,
            Ok(Done::Arrived) => &mut self.arrived,
            Ok(Done::Removed) => &mut self.removed,
            Ok(Done::Published) => &mut self.published,
            Ok(Done::Overdue) => &mut self.overdue,
            Ok(Done::Released) => &mut self.released,
            Ok(Done::Closed) => &mut self.closed,
            Ok(Done::Woken) => &mut self.woken,
            Ok(Done::Nothing) => return,
            Err(fault) => {
                tick.log.count("SweepFailed");
                tick.log.field("sweep.last_failure", fault.chain());
                &mut self.failed
            }
        };
        *counter += 1;
    }
}

/// Sweeps until nothing is due, or time runs short.
pub async fn handle<F, O, B, Q>(deps: &Deps<F, O, B, Q>, tick: &Tick) -> Result<Value, Fault>
where
    F: FindDue + ClearOutbox + ResolveHold + SnoozeDelivery + Closes,
    O: ReadHead + RemoveVersion,
    B: PublishEvent,
    Q: SendMessage,
{
    let (mut tally, mut walk, mut closings) = (Tally::default(), F::Walk::default(), Vec::new());
    while remaining() > RESERVE {
        let due = deps.table.find_due(tick.now, PAGE, &mut walk).await?;
        if due.is_empty() {
            break;
        }
        // One customer's server that is down may leave thousands of these; side by side nothing else waits for them.
        let (deliveries, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| matches!(due, Due::Delivery(_)));
        for done in join_all(deliveries.iter().map(|due| end(deps, due, tick))).await {
            tally.count(done, tick);
        }
        for due in due {
            // One account may hold so much that everything else would wait for it.
            if matches!(due, Due::Closing(_)) {
                closings.push(due);
                continue;
            }
            tally.count(end(deps, &due, tick).await, tick);
            if remaining() < RESERVE {
                break;
            }
        }
    }
    for closing in closings {
        if remaining() > RESERVE {
            tally.count(end(deps, &closing, tick).await, tick);
        }
    }
    let Tally { expired, arrived, removed, published, overdue, released, closed, woken, failed } = tally;
    let done = json!({
        "expired": expired, "arrived": arrived, "removed": removed, "published": published,
        "overdue": overdue, "released": released, "closed": closed, "woken": woken,
        "failed": failed,
    });
    tick.log.field("sweep.done", &done);
    Ok(done)
}

/// Tries to end something.
async fn end<F, O, B, Q>(deps: &Deps<F, O, B, Q>, due: &Due, tick: &Tick) -> Result<Done, Fault>
where
    F: ClearOutbox + ResolveHold + SnoozeDelivery + Closes,
    O: ReadHead + RemoveVersion,
    B: PublishEvent,
    Q: SendMessage,
{
    Ok(match due {
        Due::File(file) if file.status == Status::Pending => {
            // A look at the bucket first: the upload may be there, and only its event lost or late.
            let checked = check_arrival(&deps.table, &deps.objects, file, ArrivalSource::Look, tick.now).await?;
            note_checked(&tick.log, file, checked);
            match checked {
                Checked::Gone => Done::Expired,
                Checked::Ready | Checked::Rejected => Done::Arrived,
                Checked::Conflict => Done::Nothing,
            }
        }
        Due::File(file) => {
            finish_deletion(deps, file, tick.now).await?;
            Done::Removed
        }
        Due::Event(entry) => {
            deps.bus.publish_event(entry).await?;
            deps.table.clear_outbox(entry.id).await?;
            Done::Published
        }
        Due::Job(job) => {
            if let Some(step) = job.overdue(tick.now)
                && deps.table.apply_job_step(&step, None).await? == StepOutcome::Applied
            {
                Done::Overdue
            } else {
                // When the job has moved meanwhile, it is somebody's again, or due at the next run.
                Done::Nothing
            }
        }
        Due::Closing(closing) => {
            if closing::close(deps, closing, tick).await? {
                Done::Closed
            } else {
                Done::Nothing
            }
        }
        Due::Hold(hold) => {
            if let Some(step) = hold.time_out(tick.now)
                && deps.table.resolve_hold(&step).await? == ResolutionOutcome::Resolved
            {
                tick.log.count("HoldsTimedOut");
                Done::Released
            } else {
                // Should its service have been faster, there is nothing left to do.
                Done::Nothing
            }
        }
        Due::Delivery(delivery) => {
            wake(deps, delivery, tick).await?;
            Done::Woken
        }
        Due::Unreadable(key) => return Err(Fault::internal(format!("the item {key} cannot be read"))),
    })
}

/// Has a delivery attempted that has no message on its way, and leaves it alone for a while.
async fn wake<F, O, B, Q>(deps: &Deps<F, O, B, Q>, delivery: &Delivery, tick: &Tick) -> Result<(), Fault>
where
    F: SnoozeDelivery,
    Q: SendMessage,
{
    if delivery.next_at.is_some_and(|next| tick.now.since(next) > LATE) {
        tick.log.count("DeliveriesLate");
    }
    deps.deliveries.send_message(&DeliveryMessage::attempt(delivery.org, delivery.id)?).await?;
    deps.table.snooze_delivery(delivery, tick.now.plus(SNOOZE)).await
}

async fn finish_deletion<F, O, B, Q>(deps: &Deps<F, O, B, Q>, file: &File, now: Timestamp) -> Result<(), Fault>
where
    F: ApplyTransition + GetJob,
    O: RemoveVersion,
{
    if let Some(pinned) = &file.pinned {
        deps.objects.remove_version(file.key.as_str(), &pinned.version).await?;
    }
    // Should the removal's own event be faster, the record has moved and there is nothing left to do.
    let step = follow(&deps.table, file.remove(Removal::Deleted, now), now).await?;
    deps.table.apply_transition(&step).await.map(drop)
}
