//! What becomes of keys that were carried over: their owner is told, reminded after 23 days, and a week later those that
//! still work by their old text are revoked.
//!
//! Days are counted from what was really told. A run that comes late therefore never revokes a key whose owner had no month
//! to replace it, nor one of whose last week they were not reminded.

use crate::events::{Event, EventData, KeyMigrationEvent, NamedKey};
use crate::keys::ApiKey;
use crate::periods::Day;
use crate::{OrgId, Timestamp, UserId};

/// Days from the announcement to the reminder.
const REMIND_AFTER: u16 = 23;
/// Days from the reminder to the end.
const END_AFTER: u16 = 7;
/// Most keys an event names; it tells the number of all.
const NAMED: usize = 100;
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
    Carried,
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
            Self::Carried | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }

    /// Gives the day on which what is left is revoked, as far as that is known.
    pub fn deadline(self) -> Option<Day> {
        match self {
            Self::Carried | Self::Ended { .. } => None,
            Self::Announced(day) => Some(day.plus(REMIND_AFTER + END_AFTER)),
            Self::Reminded(day) => Some(day.plus(END_AFTER)),
        }
    }
}

impl Migration {
    /// Gives when there is something to do; `None` when it is over.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Carried => Some(self.id.day.starts()),
            Stage::Ended { .. } => None,
            stage => stage.ends_on().map(Day::starts),
        }
    }

    /// The step to `stage`, with the event that tells of it.
    pub fn step(&self, stage: Stage, event: Option<Event>) -> MigrationStep {
        let migration = Self { stage, revision: self.revision + 1, ..self.clone() };
        MigrationStep { migration, seen: self.revision, event }
    }

    /// The event that tells the owner of the keys that are left, and of the day on which they are revoked. `event` is one
    /// of the two kinds of migrations.
    pub fn tell(
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
        assert_eq!(at(Stage::Carried).due_at(), Some(day("2026-11-21").starts()));
        let announced = Stage::Announced(day("2026-11-21"));
        assert_eq!((announced.ends_on(), announced.deadline()), (Some(day("2026-12-14")), Some(day("2026-12-21"))));
        let reminded = Stage::Reminded(day("2026-12-14"));
        assert_eq!((reminded.ends_on(), reminded.deadline()), (Some(day("2026-12-21")), Some(day("2026-12-21"))));
        assert_eq!(at(Stage::Ended { on: day("2026-12-21"), revoked: 1 }).due_at(), None);
    }
}
