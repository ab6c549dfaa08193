//! `consigne migration`: shows how far the owners of migrated keys have come.

use std::collections::{BTreeMap, BTreeSet};

use clap::Subcommand;
use consigne_core::keys::{ApiKey, KeyStatus, Pointer};
use consigne_core::migrations::{Migration, Stage};
use consigne_core::periods::Day;
use consigne_core::ports::{GetProfile, KeepPeppers as _, ListMigrations, MigrationFilter, PageAsk};
use consigne_core::{Fault, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_storage::Table;
use consigne_usecases::migrations::keys_of;
use serde_json::{Value, json};

use crate::operator::{Operator, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// Migrations read with one query.
const PAGE: u32 = 100;
/// Most owners listed for having no verified address.
const UNTOLD_SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count owners by stage and keys by state, and show how many days are left.
    #[command(after_help = "\
Examples:
  consigne migration status
  consigne migration status --json")]
    Status,
}

pub(crate) fn run(which: &Which, Command::Status: &Command) -> Outcome {
    let operator = Operator::of_stack(which, &["TABLE_NAME"])?;
    let (table, until) = (operator.table()?, Timestamp::parse(&operator.name("LEGACY_KEYS_UNTIL")));
    work(async { status(&table, until, clock::now()).await.map_err(|fault| table_failed(&fault)) })
}

async fn status(table: &Table, until: Option<Timestamp>, now: Timestamp) -> Result<Report, Fault> {
    let mut counts = Counts::default();
    for filter in [MigrationFilter::Open, MigrationFilter::Ended] {
        for migration in all(table, filter).await? {
            let keys = keys_of(table, &migration.id).await?;
            counts.add(&migration, &keys);
            if filter == MigrationFilter::Open && !can_be_told(table, &migration.id.owner).await? {
                counts.untold.insert(migration.id.owner.clone());
            }
        }
    }
    let hashes = table.list_pepper_needs(Pointer::HASHED, now).await?.len() as u64;
    Ok(Report::new(counts.render(hashes, until, now), counts.document(hashes, until)))
}

/// Returns whether a person has a verified address to which mails can be sent.
async fn can_be_told<F: GetProfile>(table: &F, owner: &UserId) -> Result<bool, Fault> {
    Ok(table.get_profile(owner).await?.contact().is_some_and(|contact| contact.verified))
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

/// The counts of the report.
#[derive(Debug, Default)]
struct Counts {
    owners: BTreeMap<&'static str, u64>,
    replaced: u64,
    waiting: u64,
    revoked: u64,
    deleted: u64,
    deadlines: Vec<Day>,
    untold: BTreeSet<UserId>,
}

impl Counts {
    fn add(&mut self, migration: &Migration, keys: &[ApiKey]) {
        let stage = match migration.stage {
            Stage::Carried => "to be notified",
            Stage::Announced(_) => "notified",
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

    /// Returns the report for programs.
    fn document(&self, hashes: u64, until: Option<Timestamp>) -> Value {
        let Self { replaced, waiting, revoked, deleted, .. } = self;
        let owners: BTreeMap<String, u64> =
            self.owners.iter().map(|(stage, count)| (stage.replace(' ', "_"), *count)).collect();
        json!({
            "owners": owners,
            "keys": { "replaced": replaced, "waiting": waiting, "revoked": revoked, "deleted": deleted },
            "by_hash": hashes,
            "first_deadline": self.deadlines.iter().min(),
            "last_deadline": self.deadlines.iter().max(),
            "legacy_keys_until": until,
            "owners_without_address": self.untold,
        })
    }

    fn render(&self, hashes: u64, until: Option<Timestamp>, now: Timestamp) -> String {
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
        let mut lines = vec![
            format!(
                "owners      {} to be notified, {} notified, {} reminded, {} done",
                owner("to be notified"),
                owner("notified"),
                owner("reminded"),
                owner("done")
            ),
            format!(
                "keys        {total} migrated: {} replaced, {} not yet, {} revoked, {} deleted",
                self.replaced, self.waiting, self.revoked, self.deleted
            ),
            format!("by hash     {hashes} live keys that have not been used since their migration"),
            format!("revocation  {deadline}"),
        ];
        if let (Some(last), Some(until)) = (last, until)
            && until < last.starts()
        {
            lines.push(format!(
                "too early   LegacyKeysUntil ends the old texts on {}, earlier than owners were told; deploy it later",
                Day::of(until)
            ));
        }
        if !self.untold.is_empty() {
            let some: Vec<&str> = self.untold.iter().take(UNTOLD_SHOWN).map(UserId::as_str).collect();
            let more = if self.untold.len() > some.len() { ", ..." } else { "" };
            lines.push(format!(
                "no mail     {} owners have no verified address, so only you can tell them: {}{more}",
                self.untold.len(),
                some.join(", ")
            ));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_end_of_the_old_texts_before_the_last_owners_time_is_said() {
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        let counts = Counts { deadlines: vec![Day::of(now).plus(20), Day::of(now).plus(10)], ..Counts::default() };
        let said = |days: u64| counts.render(0, Some(now.plus(Duration::from_hours(24 * days))), now);
        assert!(said(19).ends_with("ends the old texts on 2026-12-10, earlier than owners were told; deploy it later"));
        for fine in [said(20), counts.render(0, None, now)] {
            assert!(fine.ends_with("revocation  2026-12-01 to 2026-12-11, in 10 to 20 days"), "{fine}");
        }
    }

    #[test]
    fn owners_without_an_address_are_named() {
        let now = Timestamp::from_secs(0);
        let owner = |n: usize| UserId::parse(&format!("user_{n:03}")).unwrap();
        let counts = |most: usize| Counts { untold: (0..most).map(owner).collect(), ..Counts::default() };
        assert!(!counts(0).render(0, None, now).contains("no mail"));
        let said = counts(21).render(0, None, now);
        assert!(said.contains("no mail     21 owners") && said.ends_with("user_018, user_019, ..."), "{said}");
        assert!(counts(1).render(0, None, now).ends_with("only you can tell them: user_000"));
    }
}
