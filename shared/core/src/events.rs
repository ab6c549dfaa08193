//! What Consigne tells the world: one event a fact, written in the transaction that makes the fact.

use std::time::Duration;

use serde_json::Value;

use crate::{EventId, Timestamp};

/// How long an event may wait in the outbox before `sweep` publishes it in the stream's stead.
pub const OUTBOX_MARGIN: Duration = Duration::from_mins(2);

/// `source` of every event on the bus.
pub const SOURCE: &str = "consigne";

/// The catalogue of events; the wire form is the `detail-type` on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The wire forms below are the catalogue's names; events/README.md explains each.
pub enum EventKind {
    EndpointDisabled,
    FileReady,
    FileRejected,
    FileDeleted,
    JobRequested,
    JobCompleted,
    JobFailed,
    InvitationCreated,
    KeyIssued,
    KeyRotated,
    KeyRevoked,
    KeyDeleted,
    KeyMigrationStarted,
    KeyMigrationReminder,
    KeyAnomaly,
    QuotaExceeded,
    PaymentDisputeWon,
    PaymentDisputed,
    PaymentRefunded,
    StatsReady,
    WalletLow,
    WalletToppedUp,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::EndpointDisabled,
        Self::FileReady,
        Self::FileRejected,
        Self::FileDeleted,
        Self::JobRequested,
        Self::JobCompleted,
        Self::JobFailed,
        Self::InvitationCreated,
        Self::KeyIssued,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::KeyDeleted,
        Self::KeyMigrationStarted,
        Self::KeyMigrationReminder,
        Self::KeyAnomaly,
        Self::QuotaExceeded,
        Self::PaymentDisputeWon,
        Self::PaymentDisputed,
        Self::PaymentRefunded,
        Self::StatsReady,
        Self::WalletLow,
        Self::WalletToppedUp,
    ];

    /// Gives the `detail-type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointDisabled => "endpoint.disabled",
            Self::FileReady => "file.ready",
            Self::FileRejected => "file.rejected",
            Self::FileDeleted => "file.deleted",
            Self::JobRequested => "job.requested",
            Self::JobCompleted => "job.completed",
            Self::JobFailed => "job.failed",
            Self::InvitationCreated => "invitation.created",
            Self::KeyIssued => "key.issued",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::KeyDeleted => "key.deleted",
            Self::KeyMigrationStarted => "key.migration-started",
            Self::KeyMigrationReminder => "key.migration-reminder",
            Self::KeyAnomaly => "key.anomaly",
            Self::QuotaExceeded => "quota.exceeded",
            Self::PaymentDisputeWon => "payment.dispute-won",
            Self::PaymentDisputed => "payment.disputed",
            Self::PaymentRefunded => "payment.refunded",
            Self::StatsReady => "stats.ready",
            Self::WalletLow => "wallet.low",
            Self::WalletToppedUp => "wallet.topped-up",
        }
    }

    /// Reads a `detail-type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event on its way to the outbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Consumers remember it to take each event once.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub occurred_at: Timestamp,
    /// The facts, a JSON object; `event_id` and `occurred_at` stand among them.
    pub detail: Value,
}

impl Event {
    /// Makes an event with a fresh id.
    pub fn new(kind: EventKind, now: Timestamp, facts: Value) -> Self {
        let id = EventId::mint(now);
        let mut detail = serde_json::json!({ "event_id": id, "occurred_at": now });
        if let (Value::Object(detail), Value::Object(facts)) = (&mut detail, facts) {
            detail.extend(facts);
        }
        Self { id, kind, occurred_at: now, detail }
    }
}

/// An event as the outbox holds it and the bus takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The event's id.
    pub id: EventId,
    /// Its `detail-type`.
    pub kind: String,
    /// Its facts, as JSON text.
    pub detail: String,
    /// When it happened.
    pub occurred_at: Timestamp,
}
