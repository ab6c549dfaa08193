//! Keys of an older installation: carried over with the texts they have, told of to their owners, and revoked when they
//! were not replaced within a month.

mod access;
mod carry;
mod deadline;

pub use access::AccessLevel;
pub use carry::{LegacyKey, MigrateOutcome, MigratedKey, Place, TextFacts};
pub use deadline::{Migration, MigrationId, MigrationStep, REASON, Stage};
