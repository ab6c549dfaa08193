//! The catalogue of events: every kind, its name on the bus, and what it says.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};
use serde_path_to_error::Error;

use super::{
    Detail, EndpointDisabled, FileDeleted, FileReady, FileRejected, InvitationCreated, JobCompleted, JobFailed,
    JobRequested, KeyAnomaly, KeyEvent, KeyMigrationEvent, PaymentEvent, QuotaExceeded, StatsReady, WalletLow,
    WalletToppedUp,
};

/// Defines [`EventKind`] and [`EventData`] from rows of description, kind, struct and `detail-type`.
macro_rules! catalogue {
    ($($(#[doc = $description:literal])+ $kind:ident($data:ty) = $name:literal,)+) => {
        /// The kinds of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[doc = $description])+ $kind,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$kind),+];

            /// Returns the `detail-type`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// Parses a `detail-type`; `None` for one that this version does not know.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|kind| kind.name() == name)
            }

            /// Says in a sentence or two what has happened.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($description),+).trim_ascii(),)+
                }
            }

            /// Describes the `detail` of events of this kind. The schema is as schemars derives it.
            pub fn detail_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self {
                    $(Self::$kind => <Detail<$data>>::json_schema(generator),)+
                }
            }
        }

        /// What an event says, beside its id and its time.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum EventData {
            $($(#[doc = $description])+ $kind($data),)+
        }

        impl EventData {
            /// Returns what kind of event it is of.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$kind(_) => EventKind::$kind,)+
                }
            }

            /// Reads what an event of a kind says; fields that this version does not know are ignored.
            pub(super) fn read(
                kind: EventKind,
                detail: &Map<String, Value>,
            ) -> Result<Self, Error<serde_json::Error>> {
                match kind {
                    $(EventKind::$kind => serde_path_to_error::deserialize::<_, $data>(detail).map(Self::$kind),)+
                }
            }
        }
    };
}

catalogue! {
    /// A customer's endpoint gets no more webhooks.
    EndpointDisabled(EndpointDisabled) = "endpoint.disabled",
    /// An upload was checked and kept.
    FileReady(FileReady) = "file.ready",
    /// An upload was not what it claimed to be, and is gone.
    FileRejected(FileRejected) = "file.rejected",
    /// A file is gone, and its bytes were given back.
    FileDeleted(FileDeleted) = "file.deleted",
    /// A job was accepted; a generator may work on it. The message on the generation queue is the same.
    JobRequested(JobRequested) = "job.requested",
    /// A job was delivered, and every file of it is ready.
    JobCompleted(JobCompleted) = "job.completed",
    /// A job was not delivered and never will be; its allowance is given back.
    JobFailed(JobFailed) = "job.failed",
    /// Somebody was invited into an organisation. Only the invitation holds the address.
    InvitationCreated(InvitationCreated) = "invitation.created",
    /// A key was issued.
    KeyIssued(KeyEvent) = "key.issued",
    /// A key has a new text; the one before may be valid for a while.
    KeyRotated(KeyEvent) = "key.rotated",
    /// A key was revoked, for good.
    KeyRevoked(KeyEvent) = "key.revoked",
    /// A key was deleted.
    KeyDeleted(KeyEvent) = "key.deleted",
    /// Keys of an older installation work here now, and must be replaced.
    KeyMigrationStarted(KeyMigrationEvent) = "key.migration-started",
    /// Keys of an older installation have not been replaced, and are revoked in a week.
    KeyMigrationReminder(KeyMigrationEvent) = "key.migration-reminder",
    /// Keys were used, or made, in an unusual way.
    KeyAnomaly(KeyAnomaly) = "key.anomaly",
    /// A person has used 80 % of a quota.
    QuotaExceeded(QuotaExceeded) = "quota.exceeded",
    /// A dispute of a payment was won, and credits were given back.
    PaymentDisputeWon(PaymentEvent) = "payment.dispute-won",
    /// A payment for credits was disputed with the bank, and credits were taken back.
    PaymentDisputed(PaymentEvent) = "payment.disputed",
    /// A payment for credits was refunded, all of it or a part, and credits were taken back.
    PaymentRefunded(PaymentEvent) = "payment.refunded",
    /// An organisation's statistics of a day can be read for the first time.
    StatsReady(StatsReady) = "stats.ready",
    /// An organisation's balance has reached a share of its last top-up.
    WalletLow(WalletLow) = "wallet.low",
    /// Credits came into an organisation's wallet.
    WalletToppedUp(WalletToppedUp) = "wallet.topped-up",
}
