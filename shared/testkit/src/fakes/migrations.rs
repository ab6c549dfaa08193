//! Fakes for imports of keys.

use consigne_core::idempotency::CommitOutcome;
use consigne_core::migrations::{MigrateOutcome, MigratedKey, Migration, MigrationId, MigrationStep, Stage};
use consigne_core::ports::{GetMigration, ListMigrations, Listed, MigrateKey, MigrationFilter, PageAsk, StepMigration};
use consigne_core::{Fault, Timestamp};

use super::World;
use super::accounts::page;

impl MigrateKey for World {
    async fn migrate_key(&self, new: &MigratedKey) -> Result<MigrateOutcome, Fault> {
        self.effect(|state| {
            let (accounts, key) = (&mut state.accounts, &new.key);
            if accounts.pointers.contains_key(&new.pointer) {
                return MigrateOutcome::TextTaken;
            }
            let place = new.member.as_ref().map(|member| (member.org, member.user.clone()));
            let closed = accounts.closed_peppers.contains(&new.pointer.pepper);
            let taken = place.as_ref().is_some_and(|place| accounts.members.contains_key(place));
            if closed || taken || accounts.keys.contains_key(&(key.org, key.id)) {
                return MigrateOutcome::Conflict;
            }
            accounts.keys.insert((key.org, key.id), key.clone());
            accounts.pointers.insert(new.pointer.clone(), (key.facts(), true));
            accounts.members.extend(place.zip(new.member.clone()));
            accounts.audit.push(new.audit.clone());
            if let Some(id) = new.migration() {
                let first = Migration { id: id.clone(), keys: 0, stage: Stage::Carried, revision: 0 };
                let migration = state.migrations.entry(id).or_insert(first);
                migration.keys += 1;
                migration.revision += 1;
                migration.stage = Stage::Carried;
            }
            MigrateOutcome::Applied
        })
    }
}

impl GetMigration for World {
    async fn get_migration(&self, id: &MigrationId) -> Result<Option<Migration>, Fault> {
        self.effect(|state| state.migrations.get(id).cloned())
    }
}

impl ListMigrations for World {
    async fn list_migrations(&self, filter: MigrationFilter, ask: &PageAsk) -> Result<Listed<Migration>, Fault> {
        self.effect(|state| {
            let ended = |migration: &Migration| matches!(migration.stage, Stage::Ended { .. });
            let shown = state.migrations.values().filter(|migration| match filter {
                MigrationFilter::Due(now) => migration.due_at().is_some_and(|due| due <= now),
                MigrationFilter::Open => !ended(migration),
                MigrationFilter::Ended => ended(migration),
            });
            let mut shown: Vec<Migration> = shown.cloned().collect();
            shown.sort_by_key(|migration| (migration.due_at(), migration.id.clone()));
            // The page starts after a place, not after a count. A migration that advances leaves the list, and a count would
            // then skip another one.
            let after = ask.after.as_deref().and_then(|after| after.split_once('#'));
            shown.retain(|migration| after.is_none_or(|(due, id)| place(migration) > (due.to_owned(), id.to_owned())));
            let mut listed = page(&shown, &PageAsk { limit: ask.limit, after: None })?;
            let last = listed.items.last().map(place);
            listed.next = listed.next.and(last).map(|(due, id)| format!("{due}#{id}"));
            Ok(listed)
        })?
    }
}

fn place(migration: &Migration) -> (String, String) {
    let due = migration.due_at().map_or(0, Timestamp::as_millis);
    let MigrationId { org, owner, day } = &migration.id;
    (format!("{due:013}"), format!("{org}#{owner}#{day}"))
}

impl StepMigration for World {
    async fn step_migration(&self, step: &MigrationStep) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let Some(known) = state.migrations.get_mut(&step.migration.id) else { return CommitOutcome::Conflict };
            if known.revision != step.seen {
                return CommitOutcome::Conflict;
            }
            *known = step.migration.clone();
            if let Some(event) = &step.event {
                state.push_event(event);
            }
            CommitOutcome::Committed
        })
    }
}
