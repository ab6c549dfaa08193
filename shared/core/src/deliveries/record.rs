//! A delivery, as it is kept.

use std::time::Duration;

use super::SubscribedEvent;
use crate::endpoints::Endpoint;
use crate::events::EventKind;
use crate::{Code, DeliveryId, EndpointId, EventId, Fault, OrgId, Timestamp, UserId};

/// How long a delivery is kept from its beginning, or from when it was last asked for again.
pub const KEPT: Duration = Duration::from_hours(24 * 30);
/// Most attempts of a delivery that are kept, the last ones.
pub const ATTEMPTS_KEPT: usize = 20;
/// Most deliveries that an organisation may ask for again in an hour.
pub const REDELIVERIES_AN_HOUR: u32 = 100;
const HOUR: Duration = Duration::from_hours(1);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryStatus {
    /// It is on its way: waiting for an attempt, or being made.
    Pending,
    /// Its receiver has it.
    Delivered,
    /// Its receiver did not take it within three days, or is gone.
    Failed,
    /// Its endpoint was disabled or deleted, or may hear of this no more.
    Cancelled,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Failed, Self::Cancelled];

    /// Gives its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// One attempt, after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Which, from 1 on, redeliveries included.
    pub number: u32,
    /// When it was begun.
    pub at: Timestamp,
    /// Status of the answer, if there was one.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds; nothing of one that was cut short.
    pub duration_ms: Option<u64>,
    /// What went wrong, in a word.
    pub error: Option<String>,
    /// How the answer's body begins.
    pub response: String,
}

/// One webhook to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which is the `webhook-id` of every attempt. It follows from event and endpoint.
    pub id: DeliveryId,
    /// Whose.
    pub org: OrgId,
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Of which event.
    pub event: EventId,
    /// Of what kind that is.
    pub kind: EventKind,
    /// Whose private matter it is, if it is one: nobody else sees it.
    pub person: Option<UserId>,
    /// The body.
    pub payload: String,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Since when it is.
    pub created_at: Timestamp,
    /// Since when it is tried: from its beginning, or from when it was asked for again.
    pub began: Timestamp,
    /// Attempts since then.
    pub tries: u32,
    /// Attempts in all.
    pub attempts_made: u32,
    /// When the next attempt is due; while one is made, when it counts as cut short.
    pub next_at: Option<Timestamp>,
    /// When `sweep` looks after it: later than that where a message is on its way.
    pub wake_at: Option<Timestamp>,
    /// Whether `next_at` is a place in the endpoint's line.
    pub in_line: bool,
    /// When the attempt that is being made was begun.
    pub open: Option<Timestamp>,
    /// The last attempts, oldest first.
    pub attempts: Vec<Attempt>,
    /// Counts its changes.
    pub revision: u64,
}

impl Delivery {
    /// Makes the delivery of an event to an endpoint, due now. Of one event and one endpoint it is always the same.
    pub fn of(heard: &SubscribedEvent, endpoint: &Endpoint, person: Option<UserId>, now: Timestamp) -> Self {
        let (event, to) = (heard.id.to_string(), endpoint.id.to_string());
        Self {
            id: DeliveryId::derive_at(heard.occurred_at, &[&event, &to]),
            org: endpoint.org,
            endpoint: endpoint.id,
            event: heard.id,
            kind: heard.kind,
            person,
            payload: heard.payload.clone(),
            status: DeliveryStatus::Pending,
            created_at: now,
            began: now,
            tries: 0,
            attempts_made: 0,
            next_at: Some(now),
            wake_at: Some(now.plus(super::MARGIN)),
            in_line: false,
            open: None,
            attempts: Vec::new(),
            revision: 1,
        }
    }

    /// Says whether an attempt is due.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_at.is_some_and(|next| next <= now)
    }

    /// Gives the place in the endpoint's line that it waits for.
    pub fn place(&self) -> Option<Timestamp> {
        self.next_at.filter(|_| self.in_line)
    }

    /// Says whether a member may see it, and ask for it again.
    pub fn is_shown_to(&self, member: &UserId) -> bool {
        self.person.as_ref().is_none_or(|person| person == member)
    }

    /// Gives until when it is kept.
    pub fn kept_until(&self) -> Timestamp {
        self.began.plus(KEPT)
    }
}

/// Reads the id of a delivery out of a path; whatever is none cannot be found.
pub fn delivery_in_path(text: &str) -> Result<DeliveryId, Fault> {
    DeliveryId::parse(text).ok_or_else(delivery_not_found)
}

/// Makes the one 404 of deliveries: unknown, forgotten, other organisations' and other people's ones.
pub fn delivery_not_found() -> Fault {
    Fault::not_found("Delivery")
}

/// Gives the hour in which a redelivery counts.
pub fn redelivery_hour(now: Timestamp) -> Timestamp {
    now.floor(HOUR)
}

/// Makes the 429 of an organisation that has asked for as many redeliveries as it may.
pub fn too_many_redeliveries(now: Timestamp) -> Fault {
    let resets_at = redelivery_hour(now).plus(HOUR);
    let message =
        format!("An organisation may ask for {REDELIVERIES_AN_HOUR} redeliveries an hour; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(u64::from(REDELIVERIES_AN_HOUR), resets_at, now)
}
