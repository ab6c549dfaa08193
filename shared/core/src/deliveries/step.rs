//! Steps of a delivery: computed from what was read, and applied on condition that it has not changed since.

use std::time::Duration;

use super::schedule::spread;
use super::{
    ATTEMPTS_KEPT, Attempt, Delivery, DeliveryStatus, LASTS, Line, Next, Posted, SLOT_WAIT_MAX, SLOT_WAIT_MIN, Slot,
    SlotChange, next,
};
use crate::Timestamp;
use crate::endpoints::{DisabledBecause, Endpoint, EndpointStep, FAILING_MAX};
use crate::ports::DELAY_MAX;

/// How long an attempt belongs to the worker that started it. It is longer than an invocation, so that no two workers
/// attempt a delivery at the same time.
pub const LEASE: Duration = Duration::from_secs(45);
/// How long after a message's due time `sweep` waits before it sends a replacement.
pub const MARGIN: Duration = Duration::from_mins(2);
/// How long `sweep` leaves a delivery alone after it has sent a message for it.
pub const SNOOZE: Duration = Duration::from_mins(15);
/// Attempts after which a failing delivery counts against its endpoint. The fifth is made about half an hour after the
/// first.
const TRIED_OFTEN: u32 = 5;
/// How long a delivery waits if the line is full.
const STAND_BACK: Duration = Duration::from_mins(5);
/// The largest jitter that is added to [`STAND_BACK`].
const STAND_BACK_SPREAD: Duration = Duration::from_mins(8);
/// The error of an attempt whose outcome is unknown.
const CUT_SHORT: &str = "cut_short";

/// One change of one delivery, and of its endpoint, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryStep {
    /// The delivery after the step.
    pub delivery: Delivery,
    /// Revision from which the step was computed.
    pub seen: u64,
    /// The step of its endpoint, if it changes too.
    pub endpoint: Option<EndpointStep>,
    /// The slot that it takes or gives back.
    pub slot: Option<SlotChange>,
}

/// The outcome of an attempt for the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The receiver has accepted it.
    Delivered,
    /// Another attempt is made at this time.
    Again(Timestamp),
    /// No more attempts are made.
    GivenUp,
    /// The endpoint is gone, or has failed for a week, and was disabled.
    Disabled,
}

impl Conclusion {
    /// Returns the outcome's name, as the log has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Again(_) => "to retry",
            Self::GivenUp => "given up",
            Self::Disabled => "endpoint disabled",
        }
    }
}

impl Delivery {
    /// Waits until a time: for its place in a line, or until the destination may be called.
    pub fn postpone(&self, line: Line, until: Timestamp, now: Timestamp) -> DeliveryStep {
        self.step(|delivery| {
            delivery.in_line = Some(line);
            delivery.due(until, now);
        })
    }

    /// Waits five to thirteen minutes until the line may have free places. The jitter keeps deliveries from asking all
    /// at once. A message can be delayed that long.
    pub fn stand_back(&self, now: Timestamp) -> DeliveryStep {
        let wait = STAND_BACK + spread(self.id, &now.to_string(), STAND_BACK_SPREAD);
        self.step(|delivery| {
            delivery.in_line = None;
            delivery.due(now.plus(wait), now);
        })
    }

    /// Waits because all slots of its organisation are taken: as long again as it has waited since it began, so that
    /// many waiting deliveries do not ask all the time. If it has waited for three days, it fails.
    pub fn wait_for_slot(&self, now: Timestamp) -> DeliveryStep {
        let wait = now.since(self.began).clamp(SLOT_WAIT_MIN, SLOT_WAIT_MAX);
        let at = now.plus(wait + spread(self.id, &now.to_string(), wait));
        self.step(|delivery| {
            if at.since(delivery.began) > LASTS {
                return delivery.end(DeliveryStatus::Failed);
            }
            delivery.in_line = None;
            delivery.due(at, now);
        })
    }

    /// Starts an attempt and takes a slot for it. Only the caller whose write succeeds owns it. An earlier attempt
    /// without an end is recorded as cut short: it may have reached its receiver.
    pub fn begin(&self, now: Timestamp) -> DeliveryStep {
        let step = self.step(|delivery| {
            if let Some(at) = delivery.open.replace(now) {
                let error = Some(CUT_SHORT.to_owned());
                let (number, response) = (delivery.attempts_made, String::new());
                delivery.put_down(Attempt { number, at, status_code: None, duration_ms: None, error, response });
            }
            delivery.tries += 1;
            delivery.attempts_made += 1;
            delivery.in_line = None;
            // No message is on its way during an attempt. If the attempt is never concluded, `sweep` finds the
            // delivery.
            delivery.next_at = Some(now.plus(LEASE));
            delivery.wake_at = delivery.next_at;
        });
        DeliveryStep { slot: Some(SlotChange::Take(Slot::of(self.id, now))), ..step }
    }

    /// Takes back the current attempt, because its call was not made, and waits for a place in the host's line. Without
    /// a place, it stands back. Gives the slot back.
    pub fn withdraw(&self, place: Option<Timestamp>, now: Timestamp) -> DeliveryStep {
        let mut before = self.clone();
        before.tries -= 1;
        before.attempts_made -= 1;
        before.open = None;
        let step = place.map_or_else(|| before.stand_back(now), |at| before.postpone(Line::Host, at, now));
        DeliveryStep { slot: self.slot_to_give_back(), ..step }
    }

    fn slot_to_give_back(&self) -> Option<SlotChange> {
        self.open.map(|started| SlotChange::GiveBack(Slot::of(self.id, started)))
    }

    /// Concludes the current attempt and gives its slot back. If the receiver accepted it, the delivery ends. Otherwise the next attempt
    /// becomes due, or the delivery fails. An endpoint that is gone, or has failed for a week, is disabled in the same
    /// transaction.
    pub fn conclude(
        &self,
        posted: &Posted,
        took: Duration,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> (DeliveryStep, Conclusion) {
        // `failing_since` alone is not enough: after two failures with a quiet week between them, it says a week. So
        // the delivery itself must have failed often too.
        let failing =
            self.tries >= TRIED_OFTEN && endpoint.failing_since.is_some_and(|since| now.since(since) >= FAILING_MAX);
        let next = next(self.id, self.tries, self.began, posted, now);
        let (conclusion, of_endpoint) = match next {
            _ if posted.is_success() => (Conclusion::Delivered, endpoint.note_working()),
            _ if posted.is_gone() => (Conclusion::Disabled, Some(endpoint.disable(DisabledBecause::Gone, now))),
            _ if failing => (Conclusion::Disabled, Some(endpoint.disable(DisabledBecause::Failing, now))),
            Next::Try(then) => (Conclusion::Again(then), endpoint.note_failing(now)),
            Next::GiveUp => (Conclusion::GivenUp, endpoint.note_failing(now)),
        };
        let step = self.step(|delivery| {
            let at = delivery.open.take().unwrap_or(now);
            let response = match posted {
                Posted::Answered { excerpt, .. } => excerpt.clone(),
                Posted::Failed(..) | Posted::NotAllowed => String::new(),
            };
            delivery.put_down(Attempt {
                number: delivery.attempts_made,
                at,
                status_code: posted.status(),
                duration_ms: u64::try_from(took.as_millis()).ok(),
                error: posted.error().map(str::to_owned),
                response,
            });
            match conclusion {
                Conclusion::Delivered => delivery.end(DeliveryStatus::Delivered),
                Conclusion::Again(then) => delivery.due(then, now),
                Conclusion::GivenUp | Conclusion::Disabled => delivery.end(DeliveryStatus::Failed),
            }
        });
        // Leave an endpoint that is already disabled as it is.
        let of_endpoint = of_endpoint.filter(|_| endpoint.is_active());
        (DeliveryStep { endpoint: of_endpoint, slot: self.slot_to_give_back(), ..step }, conclusion)
    }

    /// Ends the delivery without sending it.
    pub fn cancel(&self) -> DeliveryStep {
        self.step(|delivery| delivery.end(DeliveryStatus::Cancelled))
    }

    /// Starts a redelivery: makes it due now, with the same id. Returns `None` if it is due, waits in the line or is
    /// being attempted.
    pub fn again(&self, now: Timestamp) -> Option<DeliveryStep> {
        if self.is_due(now) || self.in_line.is_some() || self.open.is_some() {
            return None;
        }
        Some(self.step(|delivery| {
            delivery.status = DeliveryStatus::Pending;
            delivery.began = now;
            delivery.tries = 0;
            delivery.due(now, now);
        }))
    }

    fn step(&self, change: impl FnOnce(&mut Self)) -> DeliveryStep {
        let mut delivery = self.clone();
        change(&mut delivery);
        delivery.revision += 1;
        DeliveryStep { delivery, seen: self.revision, endpoint: None, slot: None }
    }

    fn due(&mut self, at: Timestamp, now: Timestamp) {
        // A message can be delayed by `DELAY_MAX` at most. For longer waits `sweep` sends the message.
        self.next_at = Some(at);
        self.wake_at = Some(if at.since(now) > DELAY_MAX { at } else { at.plus(MARGIN) });
    }

    fn end(&mut self, status: DeliveryStatus) {
        self.status = status;
        self.next_at = None;
        self.wake_at = None;
        self.in_line = None;
        self.open = None;
    }

    fn put_down(&mut self, attempt: Attempt) {
        if self.attempts.len() >= ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }
}
