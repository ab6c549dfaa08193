//! Events that Consigne publishes on the bus. Each is written to the outbox in the transaction of its fact.
//!
//! [`EventData`] is the only definition of the events. Producers build its structs. Consumers get them from
//! [`EventMessage`] and match on the kinds they know. `events/schemas` is generated from them. The order of the fields
//! is the order in JSON.
//!
//! Consumers ignore unknown fields and unknown kinds. An event without a field of its struct is malformed. When a new
//! version is deployed, events of the previous version are still on their way, and dead-letter queues keep some for
//! days. So a field that is added later must be an `Option` or have a default.

mod account;
mod catalogue;
mod credits;
mod file;
mod job;
mod key;
mod message;
mod order;
mod organisation;
mod schema;
mod storage;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

pub use account::{AccountClosed, AccountExportReady, AccountExportRequested};
pub use catalogue::{EventData, EventKind};
pub use credits::{PaymentEvent, WalletLow, WalletToppedUp};
pub use file::{FileDeleted, FileFacts, FileInfected, FileReady, FileRejected, FileUnpublished, Quota, QuotaExceeded};
pub use job::{CompletedStatus, FailedStatus, JobCompleted, JobError, JobFailed, JobRequested};
pub use key::{Anomaly, AnomalyResponse, KeyAnomaly, KeyEvent, KeyMigrationEvent, NamedKey};
pub use message::{EventMessage, MalformedEvent};
pub use order::OrderSubmitted;
pub use organisation::{EndpointDisabled, EndpointTest, InvitationCreated, OrganisationDeleted, StatsReady};
pub use storage::{StorageFinding, StorageReconciled};

use crate::{EventId, Timestamp};

/// How long an event may wait in the outbox before `sweep` publishes it instead of the table's stream.
pub const OUTBOX_MARGIN: Duration = Duration::from_mins(2);

/// `source` of every event on the bus.
pub const SOURCE: &str = "consigne";

/// An event to be written to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Id of the event. Consumers remember it, so that each handles the event once.
    pub id: EventId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What happened.
    pub data: EventData,
}

impl Event {
    /// Creates an event with a new id.
    pub fn new(now: Timestamp, data: EventData) -> Self {
        Self { id: EventId::mint(now), occurred_at: now, data }
    }

    /// Returns the kind of the event.
    pub fn kind(&self) -> EventKind {
        self.data.kind()
    }

    /// Returns the `detail` for the bus, a JSON object.
    pub fn detail(&self) -> Value {
        json!(Detail { event_id: self.id, occurred_at: self.occurred_at, data: &self.data })
    }
}

/// The `detail` of an event on the bus.
#[derive(Serialize, JsonSchema)]
struct Detail<T> {
    /// Id of the event. An event may be delivered twice; deduplicate by this id.
    event_id: EventId,
    /// When it happened, in UTC.
    occurred_at: Timestamp,
    #[serde(flatten)]
    data: T,
}

/// An event as the outbox stores it and the bus accepts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The event's id.
    pub id: EventId,
    /// Its `detail-type`.
    pub kind: String,
    /// Its `detail`, as JSON text.
    pub detail: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}
