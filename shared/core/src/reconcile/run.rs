//! A run: how far it has come, and what it has found.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Finding, FindingKind, LedgerSums, Marker};
use crate::events::{Event, EventData, StorageFinding, StorageReconciled};
use crate::{Timestamp, UserId};

/// How old an object or a change must be before it can be a finding, unless the run says otherwise.
pub const GRACE: Duration = Duration::from_hours(24);
/// How long a run belongs to whoever wrote it last. Another caller takes it over when this has passed.
pub const LEASE: Duration = Duration::from_mins(5);
/// Findings of each kind that a run keeps; it only counts the others.
pub const FIRST: usize = 20;

/// A part of a run, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Files against their records, both ways, and ledgers.
    Originals,
    /// What is derived from files against their records, both ways.
    Derived,
    /// Objects that nothing here makes.
    Others,
    /// Open uploads in parts against sessions.
    Uploads,
    /// Originals in the replica against records.
    ReplicaOriginals,
    /// Derived objects in the replica against records.
    ReplicaDerived,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 6] =
        [Self::Originals, Self::Derived, Self::Others, Self::Uploads, Self::ReplicaOriginals, Self::ReplicaDerived];

    /// Returns what is compared, for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Originals => "files",
            Self::Derived => "thumbnails and copies",
            Self::Others => "other objects",
            Self::Uploads => "open uploads",
            Self::ReplicaOriginals => "files in the replica",
            Self::ReplicaDerived => "thumbnails and copies in the replica",
        }
    }

    /// Returns whether the replica is compared.
    pub const fn is_of_replica(self) -> bool {
        matches!(self, Self::ReplicaOriginals | Self::ReplicaDerived)
    }

    fn next(self, has_replica: bool) -> Option<Self> {
        let mut later = Self::ALL.into_iter().filter(|phase| *phase > self);
        later.find(|phase| has_replica || !phase.is_of_replica())
    }
}

/// The position of a run within its phase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where the next page of the bucket starts; `None` at the start of the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Marker>,
    /// The user whose records were read in part, with their sums so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<(UserId, LedgerSums)>,
}

/// How much a run has compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Checked {
    pub versions: u64,
    pub records: u64,
    pub users: u64,
    pub uploads: u64,
}

/// Who has a run at the moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// A name that no other caller has.
    pub holder: String,
    /// Until when.
    pub until: Timestamp,
}

/// A run of the reconciliation, as the table keeps it. There is one item, which the next run replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// When it began.
    pub started_at: Timestamp,
    /// Seconds that an object or a change must be old before it can be a finding.
    pub grace_seconds: u64,
    /// Whether what can be repaired is removed.
    pub repair: bool,
    /// The part it is at. `None` once it has ended.
    pub phase: Option<Phase>,
    /// Where it is within this part.
    pub place: Place,
    /// How much it has compared.
    pub checked: Checked,
    /// Numbers of findings by kind.
    pub found: BTreeMap<FindingKind, u64>,
    /// How many of them were repaired.
    pub repaired: BTreeMap<FindingKind, u64>,
    /// The first findings of each kind.
    pub first: Vec<Finding>,
    /// Counted findings that are still to be repaired. They are written before the first is, so that a killed run repairs
    /// the rest.
    pub pending: Vec<(bool, Finding)>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who has it.
    pub lease: Option<Lease>,
    /// Number of writes. Each write is conditional on the revision that was read.
    pub revision: u64,
}

impl Run {
    /// Starts a run, in place of the run `before`.
    pub fn start(before: Option<&Self>, repair: bool, grace: Duration, now: Timestamp) -> Self {
        Self {
            started_at: now,
            grace_seconds: grace.as_secs(),
            repair,
            phase: Some(Phase::Originals),
            place: Place::default(),
            checked: Checked::default(),
            found: BTreeMap::new(),
            repaired: BTreeMap::new(),
            first: Vec::new(),
            pending: Vec::new(),
            ended_at: None,
            lease: None,
            revision: before.map_or(0, |before| before.revision),
        }
    }

    /// Returns the time since which objects and changes are under way.
    pub fn cutoff(&self) -> Timestamp {
        self.started_at.minus(Duration::from_secs(self.grace_seconds))
    }

    /// Returns whether all is compared, and repaired if that was asked for.
    pub fn is_over(&self) -> bool {
        self.phase.is_none() && self.pending.is_empty()
    }

    /// Returns whether another caller than `holder` has it.
    pub fn is_held(&self, holder: &str, now: Timestamp) -> bool {
        !self.is_over() && self.lease.as_ref().is_some_and(|lease| lease.holder != holder && lease.until > now)
    }

    /// Counts a finding, and keeps it if it is one of the first of its kind.
    pub fn note(&mut self, finding: &Finding) {
        let count = self.found.entry(finding.kind).or_default();
        *count += 1;
        if *count <= FIRST as u64 {
            self.first.push(finding.clone());
        }
    }

    /// Counts a repair.
    pub fn note_repair(&mut self, kind: FindingKind) {
        *self.repaired.entry(kind).or_default() += 1;
    }

    /// Goes on to the next part. After the last one the run has ended.
    pub fn end_phase(&mut self, has_replica: bool, now: Timestamp) {
        self.place = Place::default();
        self.phase = self.phase.and_then(|phase| phase.next(has_replica));
        if self.phase.is_none() {
            self.ended_at = Some(now);
            self.lease = None;
        }
    }

    /// Leaves out what is left of the replica.
    pub fn end_replica(&mut self, now: Timestamp) {
        while self.phase.is_some_and(Phase::is_of_replica) {
            self.end_phase(true, now);
        }
    }

    /// Returns the number of findings.
    pub fn findings(&self) -> u64 {
        self.found.values().sum()
    }

    /// Returns the findings of a kind that are not repaired.
    pub fn left(&self, kind: FindingKind) -> u64 {
        let of = |counts: &BTreeMap<FindingKind, u64>| counts.get(&kind).copied().unwrap_or(0);
        of(&self.found).saturating_sub(of(&self.repaired))
    }

    /// Returns the number of findings that are not repaired.
    pub fn all_left(&self) -> u64 {
        FindingKind::ALL.into_iter().map(|kind| self.left(kind)).sum()
    }

    /// Returns the event of a run that has ended and found something.
    pub fn event(&self) -> Option<Event> {
        let ended = self.ended_at.filter(|_| self.findings() > 0)?;
        let of = |(kind, found): (&FindingKind, &u64)| StorageFinding {
            kind: *kind,
            found: *found,
            repaired: self.repaired.get(kind).copied().unwrap_or(0),
        };
        let data = StorageReconciled {
            started_at: self.started_at,
            repair: self.repair,
            objects: self.checked.versions,
            records: self.checked.records,
            findings: self.found.iter().map(of).collect(),
        };
        // Its id follows from the run, so that a repeated write is the same event.
        let id = crate::EventId::derive_at(ended, &["storage.reconciled", &self.revision.to_string()]);
        Some(Event { id, occurred_at: ended, data: EventData::StorageReconciled(data) })
    }
}
