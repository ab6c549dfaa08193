//! Ports to migrate keys of an older installation.

use super::{Listed, PageAsk, PortFuture};
use crate::Timestamp;
use crate::idempotency::CommitOutcome;
use crate::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep};

/// Migrates a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait MigrateKey {
    /// Writes the key with everything that belongs to it, if neither key nor text exist.
    fn migrate_key(&self, key: &MigratedKey) -> impl PortFuture<MigrateOutcome>;
}

/// Reads one migration. `dynamodb:GetItem`.
pub trait GetMigration {
    /// Returns the migration, or `None` if there is none.
    fn get_migration(&self, id: &MigrationId) -> impl PortFuture<Option<Migration>>;
}

/// Which migrations a list contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationFilter {
    /// Those with a step due by this time, the longest overdue first.
    Due(Timestamp),
    /// Those that have not ended.
    Open,
    /// Those that have ended.
    Ended,
}

/// Lists migrations of all organisations. `dynamodb:Query`.
pub trait ListMigrations {
    /// Returns a page. A migration that changes meanwhile is not listed twice.
    fn list_migrations(&self, filter: MigrationFilter, page: &PageAsk) -> impl PortFuture<Listed<Migration>>;
}

/// Changes a migration by one step, in one transaction. `dynamodb:PutItem`.
pub trait StepMigration {
    /// Applies the step. A conflict means that the migration has changed since it was read.
    fn step_migration(&self, step: &MigrationStep) -> impl PortFuture<CommitOutcome>;
}
