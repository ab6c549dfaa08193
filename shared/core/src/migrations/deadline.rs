//! What becomes of keys that were carried over: their owner is told, reminded after 23 days, and a week later those that
//! still work by their old text are revoked.
//!
//! Days are counted from what was really told. A run that comes late therefore never revokes a key whose owner had no month
//! to replace it, nor one of whose last week they were not reminded.

use serde_json::{Value, json};

use crate::audit::{Actor, Origin};
use crate::events::{Event, EventKind};
use crate::keys::{ApiKey, ChangeContext, KeyStatus, change};
use crate::periods::Day;
use crate::ports::{ChangeKey, GetKey, GetMigration, ListKeys, PageAsk, StepMigration};
use crate::{Fault, OrgId, Timestamp, UserId};

/// Days from the announcement to the reminder.
const REMIND_AFTER: u16 = 23;
/// Days from the reminder to the end.
const END_AFTER: u16 = 7;
/// Most keys an event names; it tells the number of all.
const NAMED: usize = 100;
/// Keys looked at in one question to the table.
const PAGE: u32 = 100;
/// Why a key is revoked in the end.
pub const REASON: &str = "It was not replaced within 30 days after it was carried over from the older installation";

/// The keys of one owner in one organisation that were carried over on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MigrationId {
    /// The organisation.
    pub org: OrgId,
    /// The owner.
    pub owner: UserId,
    /// The day, in UTC.
    pub day: Day,
}

/// How far a migration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Which.
    pub id: MigrationId,
    /// Keys that were carried over.
    pub keys: u64,
    /// Where it stands.
    pub stage: Stage,
    /// Counts its changes.
    pub revision: u64,
}

/// Where a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The owner is still to be told.
    CarryOutcome,
    /// They were told on this day.
    Announced(Day),
    /// They were reminded on this day.
    Reminded(Day),
    /// It is over since this day.
    Ended {
        /// Since when.
        on: Day,
        /// Keys that were revoked because nobody had replaced them.
        revoked: u64,
    },
}

impl Stage {
    /// Gives the first day of its next stage; `None` when there is none.
    pub fn ends_on(self) -> Option<Day> {
        match self {
            Self::CarryOutcome | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }

    /// Gives the day on which what is left is revoked, as far as that is known.
    pub fn deadline(self) -> Option<Day> {
        match self {
            Self::CarryOutcome | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER + END_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }
}

impl Migration {
    /// Gives when there is something to do; `None` when it is over.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::CarryOutcome => Some(self.id.day.starts()),
            Stage::Ended { .. } => None,
            stage => stage.ends_on().map(Day::starts),
        }
    }

    fn step(&self, stage: Stage, event: Option<Event>) -> MigrationStep {
        let migration = Self { stage, revision: self.revision + 1, ..self.clone() };
        MigrationStep { migration, seen: self.revision, event }
    }

    /// Makes the event that tells of the keys that are left.
    fn tell(&self, kind: EventKind, stage: Stage, left: &[ApiKey], now: Timestamp) -> Event {
        let named: Vec<Value> =
            left.iter().take(NAMED).map(|key| json!({ "key_id": key.id, "name": key.name })).collect();
        let until = stage.deadline().map(Day::starts);
        let (org, user) = (self.id.org, &self.id.owner);
        let facts = json!({ "org_id": org, "user_id": user, "keys": named, "total": left.len(), "until": until });
        Event::new(kind, now, facts)
    }
}

/// One step of a migration, with the event that tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct MigrationStep {
    /// The migration after the step.
    pub migration: Migration,
    /// Revision the step was computed from.
    pub seen: u64,
    /// What the world is told.
    pub event: Option<Event>,
}

/// What became of a migration that was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The owner was told.
    Announced,
    /// They were reminded.
    Reminded,
    /// It is over; so many keys were revoked, now or by a run that was cut short.
    Ended(u64),
    /// It is not due, or somebody else was faster.
    Left,
}

/// Takes a migration to its next stage, if its time has come. Cut short anywhere, it does the rest when it is asked again;
/// asked again when all is done, it does nothing.
///
/// # Errors
/// `UNAVAILABLE` when the table does not answer or a key keeps changing.
pub async fn advance<F: ListKeys + GetKey + ChangeKey + StepMigration>(
    table: &F,
    migration: &Migration,
    now: Timestamp,
) -> Result<Advance, Fault> {
    if migration.due_at().is_none_or(|due| due > now) {
        return Ok(Advance::Left);
    }
    let (keys, today) = (keys_of(table, &migration.id).await?, Day::of(now));
    let left: Vec<ApiKey> = keys.iter().filter(|key| key.is_legacy()).cloned().collect();
    let (step, advance) = match migration.stage {
        Stage::CarryOutcome if !left.is_empty() => {
            let next = Stage::Announced(today);
            let event = migration.tell(EventKind::KeyMigrationStarted, next, &left, now);
            (migration.step(next, Some(event)), Advance::Announced)
        }
        Stage::Announced(_) if !left.is_empty() => {
            let next = Stage::Reminded(today);
            let event = migration.tell(EventKind::KeyMigrationReminder, next, &left, now);
            (migration.step(next, Some(event)), Advance::Reminded)
        }
        Stage::CarryOutcome | Stage::Announced(_) | Stage::Reminded(_) => {
            let mut revoked = keys.iter().filter(|key| was_revoked_here(key)).count() as u64;
            for key in &left {
                revoked += u64::from(revoke(table, key, now).await?);
            }
            (migration.step(Stage::Ended { on: today, revoked }, None), Advance::Ended(revoked))
        }
        Stage::Ended { .. } => return Ok(Advance::Left),
    };
    Ok(if table.step_migration(&step).await? { advance } else { Advance::Left })
}

/// Tells an owner of a migration, if they were not told yet; says whether it did.
///
/// # Errors
/// `UNAVAILABLE` when the table does not answer.
pub async fn announce<F: GetMigration + ListKeys + GetKey + ChangeKey + StepMigration>(
    table: &F,
    id: &MigrationId,
    now: Timestamp,
) -> Result<bool, Fault> {
    match table.get_migration(id).await? {
        Some(migration) if migration.stage == Stage::CarryOutcome => {
            Ok(advance(table, &migration, now).await? == Advance::Announced)
        }
        _ => Ok(false),
    }
}

/// Reads the keys of a migration, in whatever state they are by now.
///
/// # Errors
/// `UNAVAILABLE` when the table does not answer.
pub async fn keys_of<F: ListKeys>(table: &F, id: &MigrationId) -> Result<Vec<ApiKey>, Fault> {
    let mut keys = Vec::new();
    let mut page = PageAsk { limit: PAGE, after: None };
    loop {
        let listed = table.list_keys(id.org, &page).await?;
        keys.extend(listed.items.into_iter().filter(|key| MigrationId::of(key).as_ref() == Some(id)));
        if listed.next.is_none() {
            return Ok(keys);
        }
        page.after = listed.next;
    }
}

fn service() -> Actor {
    Actor::Service("migration-deadline".to_owned())
}

fn was_revoked_here(key: &ApiKey) -> bool {
    key.revoked.as_ref().is_some_and(|(actor, _, _)| *actor == service())
}

/// Revokes a key, unless it was replaced or revoked in the last moment; says whether it did.
async fn revoke<F: GetKey + ChangeKey>(table: &F, key: &ApiKey, now: Timestamp) -> Result<bool, Fault> {
    let origin = Origin { actor: service(), ip: None, user_agent: None };
    let by = ChangeContext { origin: &origin, now };
    let step = |key: &ApiKey| if key.is_legacy() { key.revoke(REASON, &by) } else { Ok(None) };
    let after = match change(table, key.org, key.id, step).await {
        Ok(changed) => changed.key()?,
        // Deleted since it was listed.
        Err(fault) if fault.code == crate::Code::NotFound => return Ok(false),
        Err(fault) => return Err(fault),
    };
    Ok(after.status == KeyStatus::Revoked && was_revoked_here(&after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn every_stage_has_its_day() {
        let id = MigrationId {
            org: OrgId::derive(&["a"]),
            owner: UserId::parse("user_ann1").unwrap(),
            day: day("2026-11-21"),
        };
        let at = |stage| Migration { id: id.clone(), keys: 1, stage, revision: 1 };
        assert_eq!(at(Stage::CarryOutcome).due_at(), Some(day("2026-11-21").starts()));
        let announced = Stage::Announced(day("2026-11-21"));
        assert_eq!((announced.ends_on(), announced.deadline()), (Some(day("2026-12-14")), Some(day("2026-12-21"))));
        let reminded = Stage::Reminded(day("2026-12-14"));
        assert_eq!((reminded.ends_on(), reminded.deadline()), (Some(day("2026-12-21")), Some(day("2026-12-21"))));
        assert_eq!(at(Stage::Ended { on: day("2026-12-21"), revoked: 1 }).due_at(), None);
    }
}
