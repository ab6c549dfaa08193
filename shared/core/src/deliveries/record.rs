//! The record of a delivery.

use std::time::Duration;

use super::SubscribedEvent;
use crate::endpoints::Endpoint;
use crate::events::EventKind;
use crate::{Code, DeliveryId, EndpointId, EventId, Fault, OrgId, Timestamp, UserId};

/// How long a delivery is kept, from its start or its last redelivery.
pub const KEPT: Duration = Duration::from_hours(24 * 30);
/// Number of attempts that are kept: the newest.
pub const ATTEMPTS_KEPT: usize = 20;
/// Most redeliveries that an organisation may request in an hour.
pub const REDELIVERIES_AN_HOUR: u32 = 100;
const HOUR: Duration = Duration::from_hours(1);

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// Waiting for an attempt, or being attempted.
    Pending,
    /// The receiver has accepted it.
    Delivered,
    /// The receiver did not accept it within three days, or is gone for good.
    Failed,
    /// Its endpoint was disabled or deleted, or no longer gets this event.
    Cancelled,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Cancelled];

    /// Returns the status's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A line in which deliveries wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The line of the delivery's endpoint.
    Endpoint,
    /// The line of the host to which the endpoint's URL leads. Endpoints of all organisations share it.
    Host,
}

impl Line {
    /// Returns the line's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Host => "host",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Endpoint, Self::Host].into_iter().find(|line| line.name() == name)
    }
}

/// A finished attempt, kept for the endpoint's owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Number of the attempt, from 1, including those of redeliveries.
    pub number: u32,
    /// When the attempt started.
    pub at: Timestamp,
    /// Status of the answer, if there was one.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds; `None` if it was cut short.
    pub duration_ms: Option<u64>,
    /// Name of the error, as [`super::Posted::error`] returns it, or `cut_short`; `None` for a success.
    pub error: Option<String>,
    /// The start of the response body.
    pub response: String,
}

/// The delivery of one event to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which is the `webhook-id` of every attempt. It is derived from event and endpoint.
    pub id: DeliveryId,
    /// The organisation of the endpoint.
    pub org: OrgId,
    /// Id of the endpoint.
    pub endpoint: EndpointId,
    /// Id of the event.
    pub event: EventId,
    /// Kind of the event.
    pub kind: EventKind,
    /// For a personal event, the person it is about. Other members do not see the delivery.
    pub person: Option<UserId>,
    /// The body of the webhook, JSON.
    pub payload: String,
    /// Its current status, by which lists can be filtered.
    pub status: DeliveryStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its current run of attempts began: at its creation or its last redelivery.
    pub began: Timestamp,
    /// Attempts made since `began`.
    pub tries: u32,
    /// Attempts made in total.
    pub attempts_made: u32,
    /// When the next attempt is due. During an attempt: when that attempt counts as cut short.
    pub next_at: Option<Timestamp>,
    /// When `sweep` should send a message for it. Later than `next_at` if a message is already on its way.
    pub wake_at: Option<Timestamp>,
    /// The line in which `next_at` is a place, if it is one.
    pub in_line: Option<Line>,
    /// When the current attempt started, if one is being made.
    pub open: Option<Timestamp>,
    /// The newest attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Number of changes of the record.
    pub revision: u64,
}

impl Delivery {
    /// Creates the delivery of an event to an endpoint, due now. The same event and endpoint always give the same id.
    pub fn of(subscribed: &SubscribedEvent, endpoint: &Endpoint, person: Option<UserId>, now: Timestamp) -> Self {
        let (event, to) = (subscribed.id.to_string(), endpoint.id.to_string());
        Self {
            id: DeliveryId::derive_at(subscribed.occurred_at, &[&event, &to]),
            org: endpoint.org,
            endpoint: endpoint.id,
            event: subscribed.id,
            kind: subscribed.kind,
            person,
            payload: subscribed.payload.clone(),
            status: DeliveryStatus::Pending,
            created_at: now,
            began: now,
            tries: 0,
            attempts_made: 0,
            next_at: Some(now),
            wake_at: Some(now.plus(super::MARGIN)),
            in_line: None,
            open: None,
            attempts: Vec::new(),
            revision: 1,
        }
    }

    /// Returns whether an attempt is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_at.is_some_and(|next| next <= now)
    }

    /// Returns its place in the endpoint's line, if it has one. A place in the host's line counts too: the delivery got
    /// it after its turn at the endpoint, so it need not wait in the endpoint's line again.
    pub fn place_at_endpoint(&self) -> Option<Timestamp> {
        self.next_at.filter(|_| self.in_line.is_some())
    }

    /// Returns its place in the host's line, if it has one.
    pub fn place_at_host(&self) -> Option<Timestamp> {
        self.next_at.filter(|_| self.in_line == Some(Line::Host))
    }

    /// Returns whether a member may see it and request a redelivery.
    pub fn is_shown_to(&self, member: &UserId) -> bool {
        self.person.as_ref().is_none_or(|person| person == member)
    }

    /// Returns until when it is kept.
    pub fn kept_until(&self) -> Timestamp {
        self.began.plus(KEPT)
    }
}

/// Parses a delivery's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for a delivery that does not exist.
pub fn delivery_in_path(text: &str) -> Result<DeliveryId, Fault> {
    DeliveryId::parse(text).ok_or_else(delivery_not_found)
}

/// Returns the 404 for a delivery that is unknown, expired, of another organisation or about another person.
pub fn delivery_not_found() -> Fault {
    Fault::not_found("Delivery")
}

/// Returns the start of the clock hour in which redeliveries are counted.
pub fn redelivery_hour(now: Timestamp) -> Timestamp {
    now.floor(HOUR)
}

/// Returns the 429 for an organisation that has requested [`REDELIVERIES_AN_HOUR`] redeliveries in this hour.
pub fn too_many_redeliveries(now: Timestamp) -> Fault {
    let resets_at = redelivery_hour(now).plus(HOUR);
    let message = format!(
        "organisation can request at most {REDELIVERIES_AN_HOUR} redeliveries an hour; try again at {resets_at}"
    );
    Fault::new(Code::RateLimited, message).limited(u64::from(REDELIVERIES_AN_HOUR), resets_at, now)
}
