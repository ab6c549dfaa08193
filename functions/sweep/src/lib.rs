//! Finishes what others left unfinished: unused grants, interrupted deletions, unpublished events, overdue jobs, orders
//! without their photos, and holds that timed out. It also sends the messages for deliveries that are due.
//!
//! It runs every five minutes and looks only at things that have been due for a while. No request waits for it.

use std::time::Duration;

use consigne_core::Fault;
use consigne_core::credits::ResolutionOutcome;
use consigne_core::deliveries::{Delivery, DeliveryMessage, SNOOZE};
use consigne_core::files::{File, Scanning, Status};
use consigne_core::jobs::StepOutcome;
use consigne_core::orders::{Order, Photo};
use consigne_core::ports::{
    AbortUpload, ApplyJobStep, ApplyOrderStep, ApplyTransition, ClearOutbox, Due, FindDue, GetFiles, GetJob, GetOrder,
    ListUploads, ListVersions, PublishEvent, ReadHead, ReadRange, RemoveVersion, ResolveHold, SendMessage,
    SnoozeDelivery,
};
use consigne_runtime::schedule::Tick;
use consigne_runtime::uploads::note_checked;
use consigne_runtime::{Adapters, ScheduleFunction, function, needs, remaining, settings};
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::{
    ArrivalSource, Checked, check_arrival, close_uploads, finish_deletion, remove_infected,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// Due things read in one query.
const PAGE: u32 = 100;
/// Time reserved for the answer. What is not finished by then waits for the next run.
const RESERVE: Duration = Duration::from_secs(5);

/// How late a delivery may be before it is counted as `DeliveriesLate`, for the alarm.
const LATE: Duration = Duration::from_mins(20);

/// What a run has done: numbers of things by outcome.
#[derive(Debug, Default)]
struct Tally {
    expired: u32,
    arrived: u32,
    unscanned: u32,
    removed: u32,
    published: u32,
    overdue: u32,
    ended: u32,
    released: u32,
    woken: u32,
    failed: u32,
}

/// The outcome of finishing one thing.
enum Done {
    Expired,
    Arrived,
    Unscanned,
    Removed,
    Published,
    Overdue,
    OrderEnded,
    Released,
    Woken,
    /// Somebody else changed or finished it meanwhile.
    Nothing,
}

impl Tally {
    /// Counts an outcome. A failure is left for the next run and does not stop this one.
    fn count(&mut self, done: Result<Done, Fault>, tick: &Tick) {
        let counter = match done {
            Ok(Done::Expired) => &mut self.expired,
            Ok(Done::Arrived) => &mut self.arrived,
            Ok(Done::Unscanned) => &mut self.unscanned,
            Ok(Done::Removed) => &mut self.removed,
            Ok(Done::Published) => &mut self.published,
            Ok(Done::Overdue) => &mut self.overdue,
            Ok(Done::OrderEnded) => &mut self.ended,
            Ok(Done::Released) => &mut self.released,
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

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: FindDue + ApplyTransition + GetJob + ApplyJobStep + GetOrder + GetFiles + ApplyOrderStep + ClearOutbox
            + ResolveHold + SnoozeDelivery,
        Bucket: ReadHead + ReadRange + ListVersions + RemoveVersion + ListUploads + AbortUpload,
        Bus: PublishEvent,
        Queue: SendMessage,
    >
}

function! {
    table: A::Table = table(),
    objects: A::Bucket = bucket(),
    scanning: Scanning = scanning(),
    bus: A::Bus = bus(),
    /// Takes the messages for deliveries that are due.
    deliveries: A::Queue = queue(&settings::DELIVERIES_QUEUE_URL),
}

impl<A: Needs> ScheduleFunction for Function<A> {
    /// Finishes due things until none is left or time runs short.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let (mut tally, mut walk) = (Tally::default(), <A::Table as FindDue>::Walk::default());
        while remaining() > RESERVE {
            let due = self.table.find_due(tick.now, PAGE, &mut walk).await?;
            if due.is_empty() {
                break;
            }
            // A customer's server that is down may leave thousands of due deliveries. Their messages are sent
            // concurrently, so that nothing else waits for them.
            let (deliveries, due): (Vec<_>, Vec<_>) = due.into_iter().partition(|due| matches!(due, Due::Delivery(_)));
            for done in join_all(deliveries.iter().map(|due| self.end(due, tick))).await {
                tally.count(done, tick);
            }
            for due in due {
                tally.count(self.end(&due, tick).await, tick);
                if remaining() < RESERVE {
                    break;
                }
            }
        }
        let Tally { expired, arrived, unscanned, removed, published, overdue, ended, released, woken, failed } = tally;
        let done = json!({
            "expired": expired, "arrived": arrived, "unscanned": unscanned, "removed": removed, "published": published,
            "overdue": overdue, "orders": ended, "released": released, "woken": woken,
            "failed": failed,
        });
        tick.log.field("sweep.done", &done);
        Ok(done)
    }
}

impl<A: Needs> Function<A> {
    /// Finishes one due thing.
    async fn end(&self, due: &Due, tick: &Tick) -> Result<Done, Fault> {
        Ok(match due {
            Due::File(file) if file.status == Status::Pending => match self.look(file, tick).await? {
                Checked::Gone => Done::Expired,
                Checked::Ready | Checked::Waiting | Checked::Infected | Checked::Rejected => Done::Arrived,
                Checked::Conflict => Done::Nothing,
            },
            Due::File(file) if file.status == Status::Processing => self.end_waiting(file, tick).await?,
            Due::File(file) if file.status == Status::Infected => {
                remove_infected(&self.table, &self.objects, file, tick.now).await?;
                Done::Removed
            }
            Due::File(file) => {
                finish_deletion(&self.table, &self.objects, file, tick.now).await?;
                Done::Removed
            }
            Due::Event(entry) => {
                self.bus.publish_event(entry).await?;
                self.table.clear_outbox(entry.id).await?;
                Done::Published
            }
            Due::Job(job) => {
                if let Some(step) = job.overdue(tick.now)
                    && self.table.apply_job_step(&step, None).await? == StepOutcome::Applied
                {
                    Done::Overdue
                } else {
                    // The job changed meanwhile. If it is still overdue, the next run finds it.
                    Done::Nothing
                }
            }
            Due::Order(order) => {
                if self.end_order(order, tick).await? {
                    Done::OrderEnded
                } else {
                    // A photo has come meanwhile, or the customer has asked again. The next run finds what is still due.
                    Done::Nothing
                }
            }
            Due::Hold(hold) => {
                if let Some(step) = hold.time_out(tick.now)
                    && self.table.resolve_hold(&step).await? == ResolutionOutcome::Resolved
                {
                    tick.log.count("HoldsTimedOut");
                    Done::Released
                } else {
                    // The service has ended the hold meanwhile, so nothing is left to do.
                    Done::Nothing
                }
            }
            Due::Delivery(delivery) => {
                self.wake(delivery, tick).await?;
                Done::Woken
            }
            Due::Unreadable(key) => return Err(Fault::internal(format!("the item {key} cannot be read"))),
        })
    }

    /// Looks into the bucket before a grant ends: the upload may have arrived while its event is lost or late.
    async fn look(&self, file: &File, tick: &Tick) -> Result<Checked, Fault> {
        // An upload that is aborted can no longer be completed. So what the look into the bucket finds is final.
        close_uploads(&self.objects, file).await?;
        // A form can be used again while it is valid. The first version counts.
        let mut versions = match file.owner().as_order() {
            Some(_) => self.objects.list_versions(file.key.as_str()).await?,
            None => Vec::new(),
        };
        let first = versions.pop();
        let source = ArrivalSource::Look { version: first.as_deref() };
        let checked = check_arrival(&self.table, &self.objects, file, source, &self.scanning, tick.now).await?;
        note_checked(&tick.log, file, checked);
        if checked != Checked::Conflict {
            for version in &versions {
                self.objects.remove_version(file.key.as_str(), version).await?;
            }
        }
        Ok(checked)
    }

    /// Ends an order whose photos did not come in time, and discards those that came. Returns whether it ended.
    async fn end_order(&self, order: &Order, tick: &Tick) -> Result<bool, Fault> {
        let photos = order.incomplete_photos().map(Photo::file).collect();
        let files: Vec<File> = self.table.get_files(&order.owner(), &photos).await?.into_values().collect();
        let Some(step) = order.expire(&files, tick.now) else { return Ok(false) };
        let ended = self.table.apply_order_step(&step).await?.is_committed();
        if ended {
            tick.log.count("OrdersExpired");
            tick.log.field("sweep.last_order", order.id);
        }
        Ok(ended)
    }

    /// Holds or releases a file whose verdict did not come in time.
    async fn end_waiting(&self, file: &File, tick: &Tick) -> Result<Done, Fault> {
        let Some(step) = file.unheard(self.scanning.of(&file.key), tick.now) else { return Ok(Done::Nothing) };
        let step = follow(&self.table, step, tick.now).await?;
        if !self.table.apply_transition(&step).await?.is_committed() {
            // The verdict has come meanwhile, or the owner has deleted the file.
            return Ok(Done::Nothing);
        }
        tick.log.count("ScansOverdue");
        tick.log.field("sweep.last_unscanned", file.id());
        Ok(Done::Unscanned)
    }

    /// Sends the message for a due delivery that has none on the queue. Then snoozes the delivery, so that the next run
    /// leaves it alone.
    async fn wake(&self, delivery: &Delivery, tick: &Tick) -> Result<(), Fault> {
        if delivery.next_at.is_some_and(|next| tick.now.since(next) > LATE) {
            tick.log.count("DeliveriesLate");
        }
        self.deliveries.send_message(&DeliveryMessage::attempt(delivery.org, delivery.id)?).await?;
        self.table.snooze_delivery(delivery, tick.now.plus(SNOOZE)).await
    }
}
