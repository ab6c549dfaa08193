//! How a delivery changes: steps computed from what was read, applied on condition that nobody else was faster.

use std::time::Duration;

use super::schedule::spread;
use super::{ATTEMPTS_KEPT, Attempt, Delivery, DeliveryStatus, Next, Posted, next};
use crate::Timestamp;
use crate::endpoints::{DisabledBecause, Endpoint, EndpointStep, FAILING_MAX};
use crate::ports::DELAY_MAX;

/// How long an attempt is left to whoever makes it: longer than an invocation lives, so that nobody else makes one beside it.
pub const LEASE: Duration = Duration::from_secs(45);
/// How much longer than a message `sweep` waits before it sends another one in its stead.
pub const MARGIN: Duration = Duration::from_mins(2);
/// How long `sweep` leaves alone what it has woken.
pub const SNOOZE: Duration = Duration::from_mins(15);
/// Attempts after which a delivery says something of its endpoint: the fifth is made some half an hour after the first.
const TRIED_OFTEN: u32 = 5;
/// How long a delivery stays away from a line that is full, and by how much longer at most.
const STAND_BACK: Duration = Duration::from_mins(5);
const STAND_BACK_SPREAD: Duration = Duration::from_mins(8);
/// What is said of an attempt of which nobody knows how it ended.
const CUT_SHORT: &str = "cut_short";

/// One change of one delivery, and what it does to its endpoint, in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryStep {
    /// The delivery after the step.
    pub delivery: Delivery,
    /// Revision the step was computed from.
    pub seen: u64,
    /// What becomes of its endpoint.
    pub endpoint: Option<EndpointStep>,
}

/// What an attempt has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// The receiver has it.
    Delivered,
    /// It is tried again, then.
    Again(Timestamp),
    /// It was tried for as long as it is.
    GivenUp,
    /// It was refused for good, and the endpoint disabled.
    Disabled,
}

impl Delivery {
    /// Waits for its place in the endpoint's line, or for its turn.
    pub fn postpone(&self, until: Timestamp, now: Timestamp) -> DeliveryStep {
        self.step(|delivery| {
            delivery.in_line = true;
            delivery.due(until, now);
        })
    }

    /// Waits until the line may have places again: five to thirteen minutes, so that not all ask at once, and none waits for
    /// longer than a message can.
    pub fn stand_back(&self, now: Timestamp) -> DeliveryStep {
        let wait = STAND_BACK + spread(self.id, &now.to_string(), STAND_BACK_SPREAD);
        self.step(|delivery| {
            delivery.in_line = false;
            delivery.due(now.plus(wait), now);
        })
    }

    /// Begins an attempt, which is whoever's who applies the step. One that was begun before and never ended is put down as
    /// cut short: it may have reached its receiver.
    pub fn begin(&self, now: Timestamp) -> DeliveryStep {
        self.step(|delivery| {
            if let Some(at) = delivery.open.replace(now) {
                let error = Some(CUT_SHORT.to_owned());
                let (number, response) = (delivery.attempts_made, String::new());
                delivery.put_down(Attempt { number, at, status_code: None, duration_ms: None, error, response });
            }
            delivery.tries += 1;
            delivery.attempts_made += 1;
            delivery.in_line = false;
            // No message is on its way meanwhile: should nobody conclude it, it is sweep's.
            delivery.next_at = Some(now.plus(LEASE));
            delivery.wake_at = delivery.next_at;
        })
    }

    /// Concludes the attempt that was begun: with an answer the delivery ends; otherwise another attempt is due, or none. An
    /// endpoint that is gone, or has failed for a week, is disabled in the same transaction.
    pub fn conclude(
        &self,
        posted: &Posted,
        took: Duration,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> (DeliveryStep, Conclusion) {
        // After a silence one bad answer is not a week of them.
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
        // Once it is disabled, everything of it ends; who disabled it is known already.
        let of_endpoint = of_endpoint.filter(|_| endpoint.is_active());
        (DeliveryStep { endpoint: of_endpoint, ..step }, conclusion)
    }

    /// Ends it unsent.
    pub fn cancel(&self) -> DeliveryStep {
        self.step(|delivery| delivery.end(DeliveryStatus::Cancelled))
    }

    /// Makes it due now, under the same id; `None` when an attempt is due or being made anyway.
    pub fn again(&self, now: Timestamp) -> Option<DeliveryStep> {
        if self.is_due(now) || self.in_line || self.open.is_some() {
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
        DeliveryStep { delivery, seen: self.revision, endpoint: None }
    }

    fn due(&mut self, at: Timestamp, now: Timestamp) {
        // What waits for longer than a message can is woken by `sweep`.
        self.next_at = Some(at);
        self.wake_at = Some(if at.since(now) > DELAY_MAX { at } else { at.plus(MARGIN) });
    }

    fn end(&mut self, status: DeliveryStatus) {
        self.status = status;
        self.next_at = None;
        self.wake_at = None;
        self.in_line = false;
        self.open = None;
    }

    fn put_down(&mut self, attempt: Attempt) {
        if self.attempts.len() >= ATTEMPTS_KEPT {
            self.attempts.remove(0);
        }
        self.attempts.push(attempt);
    }
}
