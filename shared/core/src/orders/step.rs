//! Steps of an order. Each has the record after the step, and what is written with it.
//!
//! Steps are pure functions. The table applies one as a single transaction, on condition that the record still has the
//! revision from which the step was computed.

use std::time::Duration;

use super::{Order, OrderRequest, OrderStatus, Photo, PhotoKind, PhotoStatus, Submission};
use crate::events::{Event, EventData, OrderSubmitted};
use crate::files::{File, GrantRequest, Status, Transition, UPLOAD_GRANT_VALID};
use crate::rates::{Span, Window};
use crate::{Code, Fault, FileId, Plan, Timestamp, UserId};

/// How long an order waits for its photos after the customer last asked for forms.
pub const SUBMIT_WITHIN: Duration = Duration::from_hours(24);
/// Most submissions of an order: the first, and those that replace it.
pub const SUBMISSIONS_MAX: usize = 10;
/// How often an order is submitted in a minute. A page that waits for its photos asks every second or two.
pub const SUBMITS_PER_MINUTE: u64 = 60;
/// A form is given again while it is valid for at least this long. Else the photo gets a new one for the same key.
const FORM_LEFT_MIN: Duration = Duration::from_mins(1);

/// One step of an order, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderStep {
    /// The revision that the record must still have.
    pub seen: u64,
    /// The record after the step.
    pub order: Order,
    /// Photos that the step grants: records of files that do not exist yet.
    pub granted: Vec<File>,
    /// Photos that the step changes: it discards them, or renews their grants.
    pub changed: Vec<Transition>,
    /// The event that announces the step, if the order is complete by it.
    pub event: Option<Event>,
}

impl Order {
    /// Returns the files of the photos whose forms [`Order::submit`] will sign anew: they have not arrived, and the forms are
    /// nearly over.
    pub fn lapsing(&self, ask: &OrderRequest, valid: Duration, now: Timestamp) -> Vec<FileId> {
        let current = self.current.as_ref().filter(|current| current.repeats(ask));
        let photos = current.into_iter().flat_map(|current| &current.photos);
        photos.filter(|photo| photo.lapses(valid, now)).map(Photo::file).collect()
    }

    /// Takes in a submission. The same submission again gives forms for the photos that are missing. Another one replaces
    /// the photos and answers, and the replaced ones are kept. A form is valid for `valid`. `files` are the records of
    /// [`Order::lapsing`]: a form that is signed anew is for the same key, so an upload that is under way is not lost.
    ///
    /// # Errors
    /// `CONFLICT` if the payment was used for an order of another address, or the order was submitted
    /// [`SUBMISSIONS_MAX`] times; `RATE_LIMITED` after [`SUBMITS_PER_MINUTE`] tries in a minute.
    pub fn submit(
        &self,
        ask: &OrderRequest,
        files: &[File],
        valid: Duration,
        now: Timestamp,
    ) -> Result<OrderStep, Fault> {
        if self.email.as_ref().is_some_and(|email| *email != ask.email) {
            return Err(Fault::new(Code::Conflict, "payment was used for an order of another e-mail address"));
        }
        let asked = Window::admit(self.asked, Span::Minute, SUBMITS_PER_MINUTE, now).ok_or_else(|| {
            let resets_at = self.asked.map_or(now, |window| Span::Minute.ends(window.started));
            let message = format!("an order is submitted at most {SUBMITS_PER_MINUTE} times a minute");
            Fault::new(Code::RateLimited, message).limited(SUBMITS_PER_MINUTE, resets_at, now)
        })?;
        let (mut order, mut granted, mut changed) = (self.clone(), Vec::new(), Vec::new());
        let repeated = order.current.as_ref().is_some_and(|current| current.repeats(ask));
        if !repeated {
            if order.current.is_some() && order.earlier.len() + 1 >= SUBMISSIONS_MAX {
                let message = format!("an order is submitted at most {SUBMISSIONS_MAX} times");
                return Err(Fault::new(Code::Conflict, message).detail("limit", SUBMISSIONS_MAX));
            }
            order.earlier.extend(order.current.take());
        }
        let (owner, before) = (order.owner(), order.current.take());
        let mut photos = Vec::new();
        for (kind, asked) in &ask.photos {
            let known = before.as_ref().and_then(|before| before.photos.iter().find(|photo| photo.kind == *kind));
            let waits = |file: &&File| file.status == Status::Pending;
            let file = known.and_then(|known| files.iter().find(|file| file.key == known.key).filter(waits));
            photos.push(match (known, file) {
                (Some(known), Some(file)) if known.lapses(valid, now) => {
                    let until = now.plus(valid.min(UPLOAD_GRANT_VALID));
                    changed.push(file.renew_grant(until, now));
                    Photo { granted_at: now, expires_at: until, ..known.clone() }
                }
                (Some(known), _) if known.is_kept() && !known.lapses(valid, now) => known.clone(),
                (known, _) => {
                    let (photo, file) = grant(&owner, *kind, asked, valid, now)?;
                    granted.push(file);
                    Photo { reason: known.and_then(|known| known.reason.clone()), ..photo }
                }
            });
        }
        let complete = photos.iter().all(|photo| photo.status == PhotoStatus::Ready);
        let submission = before.unwrap_or_else(|| Submission {
            number: u32::try_from(order.earlier.len()).unwrap_or(u32::MAX).saturating_add(1),
            language: ask.language,
            answers: ask.answers.clone(),
            photos: Vec::new(),
            asked_at: now,
            submitted_at: None,
            announced: false,
        });
        let submitted_at = submission.submitted_at.filter(|_| complete);
        order.current = Some(Submission { photos, submitted_at, language: ask.language, ..submission });
        order.email = Some(ask.email.clone());
        (order.asked, order.asked_at) = (Some(asked), Some(now));
        if !complete {
            order.becomes(OrderStatus::AwaitingFiles, now);
        }
        Ok(self.step(OrderStep { granted, changed, ..OrderStep::of(order) }))
    }

    /// Returns whether the order has a photo.
    pub fn names(&self, file: &File) -> bool {
        self.photos().any(|photo| photo.key == file.key)
    }

    /// Returns the step that follows from a step of one of its photos, or `None` if it changes nothing. The last photo
    /// that becomes ready completes the order.
    pub fn follow(&self, file: &File, now: Timestamp) -> Option<OrderStep> {
        let (mut order, mut event) = (self.clone(), None);
        let all = order.current.iter_mut().chain(&mut order.earlier);
        let photo = all.flat_map(|submission| &mut submission.photos).find(|photo| photo.key == file.key)?;
        let before = photo.clone();
        photo.status = match file.status {
            Status::Pending => PhotoStatus::Pending,
            Status::Processing => PhotoStatus::Processing,
            Status::Ready => PhotoStatus::Ready,
            Status::Rejected => PhotoStatus::Rejected,
            Status::Infected => PhotoStatus::Infected,
            Status::Deleting | Status::Deleted => PhotoStatus::Gone,
        };
        if matches!(photo.status, PhotoStatus::Processing | PhotoStatus::Ready) {
            photo.size = Some(file.size);
            photo.uploaded_at = photo.uploaded_at.or(Some(now));
            photo.reason = None;
        }
        if matches!(photo.status, PhotoStatus::Rejected | PhotoStatus::Infected) {
            photo.reason.clone_from(&file.rejected_reason);
        }
        if *photo == before {
            return None;
        }
        if let Some(current) = &mut order.current
            && current.submitted_at.is_none()
            && current.photos.iter().all(|photo| photo.status == PhotoStatus::Ready)
        {
            current.submitted_at = Some(now);
            let again = std::mem::replace(&mut current.announced, true);
            let facts = OrderSubmitted { order_id: order.id, submission: current.number, again };
            event = Some(Event::new(now, EventData::OrderSubmitted(facts)));
            order.becomes(OrderStatus::Submitted, now);
        }
        Some(self.step(OrderStep { event, ..OrderStep::of(order) }))
    }

    /// Returns the step that ends an order whose photos did not come in time, or `None` if it has time left. `files` are
    /// the records of [`Order::incomplete_photos`].
    ///
    /// The customer has paid: they can submit the order again.
    pub fn expire(&self, files: &[File], now: Timestamp) -> Option<OrderStep> {
        if self.due_at().is_none_or(|due| due > now) {
            return None;
        }
        let mut order = self.clone();
        let all = order.current.iter_mut().chain(&mut order.earlier);
        for photo in all.filter(|one| one.submitted_at.is_none()).flat_map(|submission| &mut submission.photos) {
            if !matches!(photo.status, PhotoStatus::Rejected | PhotoStatus::Infected) {
                photo.status = PhotoStatus::Gone;
            }
        }
        // What was complete before counts again. Its event was sent when it became complete.
        let complete = order.earlier.iter().rposition(|submission| submission.submitted_at.is_some());
        if let Some(complete) = complete {
            let back = order.earlier.remove(complete);
            order.earlier.extend(order.current.replace(back));
            order.becomes(OrderStatus::Submitted, now);
        } else {
            // The expert sees an order that has expired. If it is completed after all, they and the customer are notified.
            order.current.iter_mut().for_each(|current| current.announced = false);
            order.becomes(OrderStatus::Expired, now);
        }
        let kept = files.iter().filter(|file| matches!(file.status, Status::Processing | Status::Ready));
        let changed = kept.map(|file| file.discard(now)).collect();
        Some(self.step(OrderStep { changed, ..OrderStep::of(order) }))
    }

    fn becomes(&mut self, status: OrderStatus, now: Timestamp) {
        if self.status != status {
            (self.status, self.status_since) = (status, now);
        }
    }

    fn step(&self, mut step: OrderStep) -> OrderStep {
        step.seen = self.revision;
        step.order.revision = self.revision + 1;
        step
    }
}

impl OrderStep {
    /// Returns a step that only changes the record.
    fn of(order: Order) -> Self {
        Self { seen: order.revision, order, granted: Vec::new(), changed: Vec::new(), event: None }
    }
}

impl Submission {
    /// Returns whether a request sends the same again.
    fn repeats(&self, ask: &OrderRequest) -> bool {
        let same = |(photo, (kind, asked)): (&Photo, &(PhotoKind, GrantRequest))| {
            photo.kind == *kind
                && photo.name == *asked.name()
                && photo.media.name == asked.media().name
                && photo.declared == asked.size()
        };
        self.answers == ask.answers && self.photos.iter().zip(&ask.photos).all(same)
    }
}

impl Photo {
    /// Returns whether the photo is there or may still come.
    fn is_kept(&self) -> bool {
        matches!(self.status, PhotoStatus::Pending | PhotoStatus::Processing | PhotoStatus::Ready)
    }

    /// Returns whether the photo has not arrived and its form can hardly be used any more. `valid` is how long a form that is
    /// signed now may be valid, because the signer's credentials may expire before the form would.
    fn lapses(&self, valid: Duration, now: Timestamp) -> bool {
        let usable = now.plus(FORM_LEFT_MIN)..=now.plus(valid);
        self.status == PhotoStatus::Pending && !usable.contains(&self.expires_at)
    }
}

/// Grants a photo: its entry in the order, and the record of its file.
fn grant(
    owner: &UserId,
    kind: PhotoKind,
    asked: &GrantRequest,
    valid: Duration,
    now: Timestamp,
) -> Result<(Photo, File), Fault> {
    // The request was checked against the limit of photos, which is below that of the largest plan.
    let file = asked.clone().admit(owner, Plan::Enterprise, valid.min(UPLOAD_GRANT_VALID), now)?;
    let photo = Photo {
        kind,
        name: file.name.clone(),
        media: file.media,
        declared: file.size,
        key: file.key.clone(),
        granted_at: file.granted_at,
        expires_at: file.grant_expires_at,
        status: PhotoStatus::Pending,
        size: None,
        uploaded_at: None,
        reason: None,
    };
    Ok((photo, file))
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
