//! `consigne migration`: how far owners are with the keys that were carried over from an older installation.

use std::collections::BTreeMap;

use clap::Subcommand;
use consigne_core::keys::{ApiKey, KeyStatus, Pointer};
use consigne_core::migrations::{Migration, Stage, keys_of};
use consigne_core::periods::Day;
use consigne_core::ports::{KeepPeppers as _, ListMigrations, MigrationFilter, PageAsk};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::clock;
use consigne_storage::Table;

use crate::operator::{Operator, table_failed, work};

/// Migrations read in one question to the table.
const PAGE: u32 = 100;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count owners by stage and keys by state, and say how many days are left.
    Status,
}

pub(crate) fn run(Command::Status: &Command) -> Result<String, String> {
    let table = Operator::of_stack(&["TABLE_NAME"])?.table()?;
    work(async { status(&table, clock::now()).await.map_err(|fault| table_failed(&fault)) })
}

async fn status(table: &Table, now: Timestamp) -> Result<String, Fault> {
    let mut counts = Counts::default();
    for filter in [MigrationFilter::Open, MigrationFilter::Ended] {
        for migration in all(table, filter).await? {
            let keys = keys_of(table, &migration.id).await?;
            counts.add(&migration, &keys);
        }
    }
    let hashes = table.count_pepper_needs(Pointer::HASHED, now).await?;
    Ok(counts.render(hashes, now))
}

async fn all<F: ListMigrations>(table: &F, filter: MigrationFilter) -> Result<Vec<Migration>, Fault> {
    let mut page = PageAsk { limit: PAGE, after: None };
    let mut migrations = Vec::new();
    loop {
        let listed = table.list_migrations(filter, &page).await?;
        migrations.extend(listed.items);
        if listed.next.is_none() {
            return Ok(migrations);
        }
        page.after = listed.next;
    }
}

/// What there is to be said.
#[derive(Debug, Default)]
struct Counts {
    owners: BTreeMap<&'static str, u64>,
    replaced: u64,
    waiting: u64,
    revoked: u64,
    deleted: u64,
    deadlines: Vec<Day>,
}

impl Counts {
    fn add(&mut self, migration: &Migration, keys: &[ApiKey]) {
        let stage = match migration.stage {
            Stage::Carried => "to be told",
            Stage::Announced(_) => "told",
            Stage::Reminded(_) => "reminded",
            Stage::Ended { .. } => "done",
        };
        *self.owners.entry(stage).or_default() += 1;
        for key in keys {
            match key.status {
                KeyStatus::Revoked => self.revoked += 1,
                _ if key.generation > 1 => self.replaced += 1,
                _ => self.waiting += 1,
            }
        }
        self.deleted += migration.keys.saturating_sub(keys.len() as u64);
        if keys.iter().any(ApiKey::is_legacy) {
            self.deadlines.extend(migration.stage.deadline());
        }
    }

    fn render(&self, hashes: u64, now: Timestamp) -> String {
        let owner = |stage| self.owners.get(stage).copied().unwrap_or(0);
        let total = self.replaced + self.waiting + self.revoked + self.deleted;
        let (first, last) = (self.deadlines.iter().min(), self.deadlines.iter().max());
        let left = |day: &Day| day.starts().since(now).as_secs().div_ceil(24 * 60 * 60);
        let deadline = match (first, last) {
            (Some(first), Some(last)) if first == last => format!("{first}, in {} days", left(first)),
            (Some(first), Some(last)) => {
                format!("{first} to {last}, in {} to {} days", left(first), left(last))
            }
            _ => "none".to_owned(),
        };
        [
            format!(
                "owners      {} to be told, {} told, {} reminded, {} done",
                owner("to be told"),
                owner("told"),
                owner("reminded"),
                owner("done")
            ),
            format!(
                "keys        {total} carried over: {} replaced, {} still to be, {} revoked, {} deleted",
                self.replaced, self.waiting, self.revoked, self.deleted
            ),
            format!("by hash     {hashes} live keys that have not been used since they were carried over"),
            format!("revocation  {deadline}"),
        ]
        .join("\n")
    }
}
