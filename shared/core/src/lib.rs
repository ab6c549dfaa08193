//! The rules of Consigne, without AWS, HTTP and tokio.
//!
//! Everything here is a value or a pure function, except the [`ports`]: traits for what other systems must do. To find
//! out what Consigne promises, read this crate. The other crates carry it out.

#[macro_use]
mod json_text;

pub mod anomalies;
pub mod application;
pub mod audit;
pub mod credits;
pub mod deletions;
pub mod deliveries;
pub mod email;
pub mod endpoints;
pub mod events;
pub mod exports;
pub mod fault;
pub mod files;
pub mod gateway;
pub mod idempotency;
pub mod ids;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod mail;
pub mod maintenance;
pub mod members;
pub mod migrations;
pub mod orders;
pub mod orgs;
pub mod pacing;
pub mod periods;
pub mod plans;
pub mod ports;
pub mod profiles;
pub mod rates;
pub mod reconcile;
pub mod services;
pub mod stats;
pub mod text;
pub mod texts;
pub mod timestamp;
pub mod webhooks;

pub use application::Application;
pub use email::EmailAddress;
pub use fault::{Code, Fault, chain_of};
pub use idempotency::IdempotencyKey;
pub use ids::{
    AuditId, DeliveryId, EndpointId, EventId, ExportId, FileId, InvitationId, KeyId, LotId, OrderId, OrgId, PublicId,
    UserId,
};
pub use jobs::JobId;
pub use plans::Plan;
pub use timestamp::Timestamp;
