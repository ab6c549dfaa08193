//! Counts of what drills did.

use std::collections::BTreeMap;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A service refused an effect, which did not happen.
    Throttled,
    /// An effect happened, and its answer was lost.
    AnswerLost,
    /// The function was killed before an effect.
    KilledBefore,
    /// The function was killed after an effect.
    KilledAfter,
    /// Another invocation ran between two effects.
    Interleaved,
    /// The function answered, and the caller never saw it.
    Cut,
    /// A message came late, behind younger ones.
    Delayed,
    /// A message came twice.
    Duplicated,
}

impl Fault {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Throttled,
        Self::AnswerLost,
        Self::KilledBefore,
        Self::KilledAfter,
        Self::Interleaved,
        Self::Cut,
        Self::Delayed,
        Self::Duplicated,
    ];

    /// Returns it in plain words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled before an effect",
            Self::AnswerLost => "answer lost after an effect",
            Self::KilledBefore => "killed before an effect",
            Self::KilledAfter => "killed after an effect",
            Self::Interleaved => "another invocation in between",
            Self::Cut => "answer cut off on the way to the caller",
            Self::Delayed => "message delayed",
            Self::Duplicated => "message duplicated",
        }
    }
}

/// Numbers of steps, invocations and faults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps by name.
    pub steps: BTreeMap<&'static str, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<Fault, u64>,
    /// Invocations of functions.
    pub invocations: u64,
    /// Effects of these invocations.
    pub effects: u64,
    /// Mails that were sent a second time and counted as such.
    pub mails_perhaps_twice: u64,
}

impl Tally {
    /// Counts a step.
    pub fn step(&mut self, name: &'static str) {
        *self.steps.entry(name).or_default() += 1;
    }

    /// Counts a fault.
    pub fn fault(&mut self, fault: Fault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Adds the numbers of another tally.
    pub fn add(&mut self, other: &Self) {
        for (step, count) in &other.steps {
            *self.steps.entry(step).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
        self.invocations += other.invocations;
        self.effects += other.effects;
        self.mails_perhaps_twice += other.mails_perhaps_twice;
    }
}
