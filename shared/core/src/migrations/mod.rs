//! Keys of an older installation: carried over with the texts they have, told of to their owners, and revoked when they
//! were not replaced within a month.

mod access;
mod carry;
mod deadline;

pub use access::AccessLevel;
pub use carry::{
    CarryOutcome, Carrying, LegacyKey, MigrateOutcome, MigratedKey, Place, Plan, TextFacts, carry_over, plan,
};
pub use deadline::{Advance, Migration, MigrationId, MigrationStep, REASON, Stage, advance, announce, keys_of};
