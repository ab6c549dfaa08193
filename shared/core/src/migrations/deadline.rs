//! The deadline of migrated keys. Their owner is notified, and reminded after 23 days. A week later, the keys that were
//! not rotated are revoked.
//!
//! Days are counted from the notifications that were sent. So even after late runs, an owner has at least 30 days to
//! replace a key, and is reminded at least a week before it is revoked.

use crate::events::{Event, EventData, KeyMigrationEvent, NamedKey};
use crate::keys::ApiKey;
use crate::periods::Day;
use crate::{OrgId, Timestamp, UserId};

/// Days from the notification to the reminder.
const REMIND_AFTER: u16 = 23;
/// Days from the reminder to the revocation.
const END_AFTER: u16 = 7;
/// Most keys listed in an event. The event also has the total number.
const NAMED: usize = 100;
/// Reason with which an unreplaced key is revoked.
pub const REASON: &str = "It was not replaced within 30 days after its migration from the older installation";

/// Identifies a migration: the keys of one owner in one organisation that were migrated on one day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MigrationId {
    /// The organisation the keys belong to.
    pub org: OrgId,
    /// The owner of the keys.
    pub owner: UserId,
    /// The day of the migration, in UTC.
    pub day: Day,
}

/// A migration and its stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Its organisation, owner and day.
    pub id: MigrationId,
    /// Number of keys that were migrated.
    pub keys: u64,
    /// Its current stage, with the day it began.
    pub stage: Stage,
    /// Number of changes of the record.
    pub revision: u64,
}

/// The stage of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The owner is not yet notified.
    Carried,
    /// The owner was notified on this day.
    Announced(Day),
    /// The owner was reminded on this day.
    Reminded(Day),
    /// The migration has ended.
    Ended {
        /// The day it ended.
        on: Day,
        /// Number of keys that were revoked because they were not replaced.
        revoked: u64,
    },
}

/// Returns the first moment at which a key that was migrated at a time can be revoked because it was not replaced. Late
/// notifications delay the revocation.
pub fn replace_by(migrated_at: Timestamp) -> Timestamp {
    Day::of(migrated_at).plus(REMIND_AFTER + END_AFTER).starts()
}

impl Stage {
    /// Returns the first day of the next stage, if it is known.
    pub fn ends_on(self) -> Option<Day> {
        match self {
            Self::Carried | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }

    /// Returns the day on which unreplaced keys are revoked, if it is known.
    pub fn deadline(self) -> Option<Day> {
        match self {
            Self::Carried | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER + END_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }
}

impl Migration {
    /// Returns when the next step is due, or `None` if the migration has ended.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Carried => Some(self.id.day.starts()),
            Stage::Ended { .. } => None,
            stage => stage.ends_on().map(Day::starts),
        }
    }

    /// Returns the step to `stage`, with the event that announces it.
    pub fn step(&self, stage: Stage, event: Option<Event>) -> MigrationStep {
        let migration = Self { stage, revision: self.revision + 1, ..self.clone() };
        MigrationStep { migration, seen: self.revision, event }
    }

    /// Builds the event that notifies the owner of the keys that are `left` to replace, and of the day on which they
    /// are revoked. `event` is one of the two kinds for migrations.
    pub fn notification(
        &self,
        event: fn(KeyMigrationEvent) -> EventData,
        deadline: Day,
        left: &[ApiKey],
        now: Timestamp,
    ) -> Event {
        let named = left.iter().take(NAMED).map(|key| NamedKey { key_id: key.id, name: key.name.clone() });
        let data = event(KeyMigrationEvent {
            org_id: self.id.org,
            user_id: self.id.owner.clone(),
            keys: named.collect(),
            total: left.len() as u64,
            until: deadline.starts(),
        });
        Event::new(now, data)
    }
}

/// One step of a migration, with the event that announces it.
#[derive(Clone, Debug, PartialEq)]
pub struct MigrationStep {
    /// The migration after the step.
    pub migration: Migration,
    /// Revision from which the step was computed.
    pub seen: u64,
    /// The event that announces it.
    pub event: Option<Event>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn every_stage_ends_on_its_day() {
        let id = MigrationId {
            org: OrgId::derive(&["a"]),
            owner: UserId::parse("user_ann1").unwrap(),
            day: day("2026-11-21"),
        };
        let at = |stage| Migration { id: id.clone(), keys: 1, stage, revision: 1 };
        assert_eq!(at(Stage::Carried).due_at(), Some(day("2026-11-21").starts()));
        let announced = Stage::Announced(day("2026-11-21"));
        assert_eq!((announced.ends_on(), announced.deadline()), (Some(day("2026-12-14")), Some(day("2026-12-21"))));
        let reminded = Stage::Reminded(day("2026-12-14"));
        assert_eq!((reminded.ends_on(), reminded.deadline()), (Some(day("2026-12-21")), Some(day("2026-12-21"))));
        assert_eq!(at(Stage::Ended { on: day("2026-12-21"), revoked: 1 }).due_at(), None);
    }
}
