//! What is needed to carry keys of an older installation over, and to see their owners through it.

use super::{Listed, PageAsk, PortFuture};
use crate::Timestamp;
use crate::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep};

/// Carries a key over, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait MigrateKey {
    /// Writes it, with all that belongs to it, if neither key nor text is there.
    fn migrate_key(&self, key: &MigratedKey) -> impl PortFuture<MigrateOutcome>;
}

/// Reads one migration. `dynamodb:GetItem`.
pub trait GetMigration {
    /// Gives the migration; `None` when there is none.
    fn get_migration(&self, id: &MigrationId) -> impl PortFuture<Option<Migration>>;
}

/// Which migrations a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationFilter {
    /// Those for which there is something to do by now, the longest due first.
    Due(Timestamp),
    /// Those that are not over.
    Open,
    /// Those that are.
    Ended,
}

/// Lists migrations. `dynamodb:Query`.
pub trait ListMigrations {
    /// Gives a page. One that takes a step meanwhile is not shown twice.
    fn list_migrations(&self, filter: MigrationFilter, page: &PageAsk) -> impl PortFuture<Listed<Migration>>;
}

/// Takes a migration one step on, in one transaction. `dynamodb:PutItem`.
pub trait StepMigration {
    /// Applies the step; `false` when the migration has moved since it was read, and nothing was changed.
    fn step_migration(&self, step: &MigrationStep) -> impl PortFuture<bool>;
}
