//! Migrations of keys from an older installation, and the stage of each.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep, Stage};
use consigne_core::periods::Day;
use consigne_core::ports::{GetMigration, ListMigrations, Listed, MigrateKey, MigrationFilter, PageAsk, StepMigration};
use consigne_core::{Fault, OrgId, UserId};

use crate::table::item::{Item, Reader, add, key, malformed, number, org_pk, sortable, text};
use crate::table::keys::POINTER;
use crate::table::outbox;
use crate::table::people::orgs;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// Prefix of the sort key of every migration.
const SK: &str = "MIGRATION#";
/// Index partition of open migrations, sorted by the time at which they are due.
const OPEN: &str = "MIGRATIONS";
/// Index partition of ended migrations, sorted by the day on which they ended.
const ENDED: &str = "MIGRATIONS#ENDED";

fn migration_key(id: &MigrationId) -> Item {
    key(org_pk(id.org), format!("{SK}{}#{}", id.owner, id.day))
}

/// Returns the partition and the sort key of a migration in the index.
fn place(migration: &Migration) -> (&'static str, String) {
    let id = &migration.id;
    let (partition, at) = match (migration.stage, migration.due_at()) {
        (Stage::Ended { on, .. }, _) => (ENDED, on.starts()),
        (_, due) => (OPEN, due.unwrap_or_else(|| id.day.starts())),
    };
    (partition, format!("{}#{}#{}#{}", sortable(at), id.org, id.owner, id.day))
}

fn write(migration: &Migration) -> Item {
    let mut item = migration_key(&migration.id);
    let (stage, since, revoked) = match migration.stage {
        Stage::Carried => ("carried", None, None),
        Stage::Announced(day) => ("announced", Some(day), None),
        Stage::Reminded(day) => ("reminded", Some(day), None),
        Stage::Ended { on, revoked } => ("ended", Some(on), Some(revoked)),
    };
    item.insert("stage".to_owned(), text(stage));
    add(&mut item, "since", since.map(|day| text(day.to_string())));
    add(&mut item, "revoked", revoked.map(number));
    item.insert("keys".to_owned(), number(migration.keys));
    item.insert("revision".to_owned(), number(migration.revision));
    let (partition, at) = place(migration);
    item.insert("gsi1pk".to_owned(), text(partition));
    item.insert("gsi1sk".to_owned(), text(at));
    item
}

fn read(item: &Item) -> Result<Migration, Fault> {
    let reader = Reader(item);
    let owner_and_day = |sk: &str| {
        let (owner, day) = sk.strip_prefix(SK)?.split_once('#')?;
        Some((UserId::parse(owner)?, Day::parse(day)?))
    };
    let (owner, day) = reader.parsed("sk", owner_and_day)?;
    let since = || reader.parsed("since", Day::parse);
    let stage = match reader.text("stage")? {
        "carried" => Stage::Carried,
        "announced" => Stage::Announced(since()?),
        "reminded" => Stage::Reminded(since()?),
        "ended" => Stage::Ended { on: since()?, revoked: reader.number("revoked")? },
        _ => return Err(malformed("stage")),
    };
    let org = reader.parsed("pk", |pk| OrgId::parse(pk.strip_prefix("ORG#")?))?;
    let id = MigrationId { org, owner, day };
    Ok(Migration { id, keys: reader.number("keys")?, stage, revision: reader.number("revision")? })
}

impl MigrateKey for Table {
    async fn migrate_key(&self, new: &MigratedKey) -> Result<MigrateOutcome, Fault> {
        let mut writes = self.new_key_writes(&new.key, &new.pointer)?;
        writes.push(self.put(audit::write(&new.audit))?);
        writes.push(self.import_key(new.key.org)?);
        if let Some(id) = new.migration() {
            writes.push(self.count_in(&id)?);
        }
        if let Some(member) = &new.member {
            writes.push(self.put_new(orgs::write_member(member))?);
        }
        Ok(match self.transact(writes).await? {
            Outcome::Committed => MigrateOutcome::Applied,
            Outcome::Refused(failed) if failed_at(&failed, POINTER).is_some() => MigrateOutcome::TextTaken,
            Outcome::Refused(_) => MigrateOutcome::Conflict,
        })
    }
}

impl Table {
    /// Returns the write that counts a key in its migration. It moves the migration back to its first stage, so that
    /// the owner is notified of this key too.
    fn count_in(&self, id: &MigrationId) -> Result<TransactWriteItem, Fault> {
        let carried = Migration { id: id.clone(), keys: 1, stage: Stage::Carried, revision: 1 };
        let (partition, at) = place(&carried);
        let update = Update::builder()
            .set_key(Some(migration_key(id)))
            .update_expression(
                "SET stage = :carried, gsi1pk = :open, gsi1sk = :at REMOVE since, revoked ADD #keys :one, revision :one",
            )
            // `keys` is a reserved word.
            .expression_attribute_names("#keys", "keys")
            .expression_attribute_values(":carried", text("carried"))
            .expression_attribute_values(":open", text(partition))
            .expression_attribute_values(":at", text(at))
            .expression_attribute_values(":one", number(1));
        self.update(update)
    }
}

impl GetMigration for Table {
    async fn get_migration(&self, id: &MigrationId) -> Result<Option<Migration>, Fault> {
        self.get(migration_key(id)).await?.as_ref().map(read).transpose()
    }
}

impl ListMigrations for Table {
    async fn list_migrations(&self, filter: MigrationFilter, page: &PageAsk) -> Result<Listed<Migration>, Fault> {
        let partition = if filter == MigrationFilter::Ended { ENDED } else { OPEN };
        let query = self.partition(Some("gsi1"), partition.to_owned());
        let query = match filter {
            // Sort keys of the time `now` continue after the time, so the range ends before the next millisecond.
            MigrationFilter::Due(now) => query
                .key_condition_expression("#pk = :pk AND gsi1sk < :after")
                .expression_attribute_values(":after", text(sortable(now.plus(std::time::Duration::from_millis(1))))),
            MigrationFilter::Open | MigrationFilter::Ended => query.key_condition_expression("#pk = :pk"),
        };
        self.page(Some("gsi1"), query, page, read).await
    }
}

impl StepMigration for Table {
    async fn step_migration(&self, step: &MigrationStep) -> Result<CommitOutcome, Fault> {
        let mut writes = vec![self.put_seen(write(&step.migration), step.seen)?];
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        self.commit(writes).await
    }
}
