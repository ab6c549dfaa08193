//! The catalogue of events: every kind with its name on the bus and its data.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};
use serde_path_to_error::Error;

use super::{
    AccountClosed, AccountExportReady, AccountExportRequested, Detail, EndpointDisabled, EndpointTest, FileDeleted,
    FileInfected, FileReady, FileRejected, FileUnpublished, InvitationCreated, JobCompleted, JobFailed, JobRequested,
    KeyAnomaly, KeyEvent, KeyMigrationEvent, OrderSubmitted, OrganisationDeleted, PaymentEvent, QuotaExceeded,
    StatsReady, StorageReconciled, WalletLow, WalletToppedUp,
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

            /// Returns one or two sentences about what has happened.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($description),+).trim_ascii(),)+
                }
            }

            /// Returns the JSON schema of the `detail` of events of this kind, as schemars derives it.
            pub fn detail_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self {
                    $(Self::$kind => <Detail<$data>>::json_schema(generator),)+
                }
            }
        }

        /// The data of an event, without its id and time.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum EventData {
            $($(#[doc = $description])+ $kind($data),)+
        }

        impl EventData {
            /// Returns the kind of the event.
            pub const fn kind(&self) -> EventKind {
                match self {
                    $(Self::$kind(_) => EventKind::$kind,)+
                }
            }

            /// Parses the data of an event of a kind. Unknown fields are ignored.
            ///
            /// # Errors
            /// If a field is missing or malformed; the error has its path.
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
    /// An account was closed. Its files, jobs and memberships end within minutes, and most else of it within a day.
    AccountClosed(AccountClosed) = "account.closed",
    /// A person has asked for an export of their data.
    AccountExportRequested(AccountExportRequested) = "account.export-requested",
    /// The export of a person's data is complete. They can download it until it expires.
    AccountExportReady(AccountExportReady) = "account.export-ready",
    /// A customer's endpoint was disabled and gets no more webhooks.
    EndpointDisabled(EndpointDisabled) = "endpoint.disabled",
    /// A member has asked for a test of an endpoint. Only that endpoint gets the webhook, whatever it subscribes to.
    EndpointTest(EndpointTest) = "endpoint.test",
    /// An upload was checked and kept.
    FileReady(FileReady) = "file.ready",
    /// An upload failed its check and was deleted.
    FileRejected(FileRejected) = "file.rejected",
    /// Malware was found in a file. All versions of its object are removed, and its bytes no longer count.
    FileInfected(FileInfected) = "file.infected",
    /// A file was deleted, and its bytes no longer count against the owner's storage.
    FileDeleted(FileDeleted) = "file.deleted",
    /// The public address of a file was withdrawn by its owner.
    FileUnpublished(FileUnpublished) = "file.unpublished",
    /// A job was accepted, and a generator can start on it. The generation queue has the same message.
    JobRequested(JobRequested) = "job.requested",
    /// A job was delivered, and all its files are ready.
    JobCompleted(JobCompleted) = "job.completed",
    /// A job failed for good. Its allowance is given back, unless the owner deleted an output that was ready.
    JobFailed(JobFailed) = "job.failed",
    /// Somebody was invited to an organisation. The event does not have the address; the invitation has.
    InvitationCreated(InvitationCreated) = "invitation.created",
    /// A key was issued.
    KeyIssued(KeyEvent) = "key.issued",
    /// A key was rotated: it has a new text. The previous text may stay valid for a grace period.
    KeyRotated(KeyEvent) = "key.rotated",
    /// A key was revoked, for good.
    KeyRevoked(KeyEvent) = "key.revoked",
    /// A key was deleted.
    KeyDeleted(KeyEvent) = "key.deleted",
    /// Keys of an older installation were imported. They work, and must be replaced.
    KeyMigrationStarted(KeyMigrationEvent) = "key.migration-started",
    /// Imported keys have not been replaced and are revoked in a week.
    KeyMigrationReminder(KeyMigrationEvent) = "key.migration-reminder",
    /// Keys were used or created in an unusual way.
    KeyAnomaly(KeyAnomaly) = "key.anomaly",
    /// An order is complete: an expert can read it. The event has neither the address nor the answers.
    OrderSubmitted(OrderSubmitted) = "order.submitted",
    /// An organisation was deleted, and a member lost their access.
    OrganisationDeleted(OrganisationDeleted) = "organisation.deleted",
    /// A person has used 80 % of a quota.
    QuotaExceeded(QuotaExceeded) = "quota.exceeded",
    /// A dispute of a payment was won, and credits were given back.
    PaymentDisputeWon(PaymentEvent) = "payment.dispute-won",
    /// A payment for credits was disputed with the bank, and credits were clawed back.
    PaymentDisputed(PaymentEvent) = "payment.disputed",
    /// A payment for credits was refunded in whole or in part, and credits were clawed back.
    PaymentRefunded(PaymentEvent) = "payment.refunded",
    /// An organisation's statistics of a day are complete and can be read.
    StatsReady(StatsReady) = "stats.ready",
    /// The comparison of the table with the bucket found something.
    StorageReconciled(StorageReconciled) = "storage.reconciled",
    /// An organisation's balance has fallen to an alert threshold, a percentage of its last top-up.
    WalletLow(WalletLow) = "wallet.low",
    /// Credits were added to an organisation's wallet.
    WalletToppedUp(WalletToppedUp) = "wallet.topped-up",
}
