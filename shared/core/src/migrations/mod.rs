//! Migration of an older installation's keys: they keep their texts, their owners are notified, and keys not replaced
//! within 30 days are revoked.

mod access;
mod carry;
mod deadline;

pub use access::AccessLevel;
pub use carry::{LegacyKey, MigrateOutcome, MigratedKey, Place, TextFacts};
pub use deadline::{Migration, MigrationId, MigrationStep, REASON, Stage};
