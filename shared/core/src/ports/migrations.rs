//! Ports to migrate keys of an older installation.

use super::{Listed, PageAsk, PortFuture};
use crate::Timestamp;
use crate::idempotency::CommitOutcome;
use crate::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep};

/// Migrates a key, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait MigrateKey {
    /// Writes the key with everything that belongs to it, if neither the key nor its text exists.
    fn migrate_key(&self, key: &MigratedKey) -> impl PortFuture<MigrateOutcome>;
}

/// Reads one migration. `dynamodb:GetItem`.
pub trait GetMigration {
    /// Returns the migration, or `None` if there is none.
    fn get_migration(&self, id: &MigrationId) -> impl PortFuture<Option<Migration>>;
}

/// A filter of migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationFilter {
    /// Migrations with a step due by this time, the longest overdue first.
    Due(Timestamp),
    /// Migrations that have not ended.
    Open,
    /// Migrations that have ended.
    Ended,
}

/// Lists migrations of all organisations. `dynamodb:Query`.
pub trait ListMigrations {
    /// Returns a page. A migration that changes between two pages is not listed twice.
    fn list_migrations(&self, filter: MigrationFilter, page: &PageAsk) -> impl PortFuture<Listed<Migration>>;
}

/// Changes a migration by one step, in one transaction. `dynamodb:PutItem`.
pub trait StepMigration {
    /// Applies the step. Returns `Conflict` if the migration has changed since it was read.
    fn step_migration(&self, step: &MigrationStep) -> impl PortFuture<CommitOutcome>;
}
