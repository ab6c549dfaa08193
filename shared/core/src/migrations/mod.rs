//! Migration of an older installation's keys. They keep their texts, their owners are notified, and keys that are not
//! replaced within 30 days are revoked.

mod access;
mod carry;
mod deadline;

pub use access::AccessLevel;
pub use carry::{LegacyKey, MigrateOutcome, MigratedKey, Place, TextFacts};
pub use deadline::{Migration, MigrationId, MigrationStep, REASON, Stage, replace_by};
