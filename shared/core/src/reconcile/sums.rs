//! What a ledger should say: the sums over its owner's records.

use serde::{Deserialize, Serialize};

use crate::files::{File, Kind, LedgerDelta};

/// The counts of a ledger. They are signed, because a ledger that is wrong may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerSums {
    /// Bytes stored and reserved together.
    pub committed: i64,
    /// Bytes reserved.
    pub reserved: i64,
    /// Stored files by kind, in the order of [`Kind::ALL`].
    pub files: [i64; Kind::ALL.len()],
    /// Stored bytes by kind.
    pub bytes: [i64; Kind::ALL.len()],
}

impl LedgerSums {
    /// Adds what the ledger counts for a record.
    pub fn add(&mut self, file: &File) {
        let delta = LedgerDelta::of(file);
        self.committed = self.committed.saturating_add(delta.committed);
        self.reserved = self.reserved.saturating_add(delta.reserved);
        let kind = file.kind() as usize;
        self.files[kind] = self.files[kind].saturating_add(delta.files);
        self.bytes[kind] = self.bytes[kind].saturating_add(delta.bytes);
    }

    /// Returns the sums of two parts of the records.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let each = |one: &[i64; Kind::ALL.len()], other: &[i64; Kind::ALL.len()]| {
            std::array::from_fn(|kind| one[kind].saturating_add(other[kind]))
        };
        Self {
            committed: self.committed.saturating_add(other.committed),
            reserved: self.reserved.saturating_add(other.reserved),
            files: each(&self.files, &other.files),
            bytes: each(&self.bytes, &other.bytes),
        }
    }

    /// Says how a ledger differs from these sums, as a sentence.
    pub fn difference(&self, ledger: &Self) -> String {
        let files = |sums: &Self| sums.files.iter().sum::<i64>();
        let bytes = |sums: &Self| sums.bytes.iter().sum::<i64>();
        format!(
            "the ledger has {} files of {} bytes and {} bytes reserved; the records have {}, {} and {}",
            files(ledger),
            bytes(ledger),
            ledger.reserved,
            files(self),
            bytes(self),
            self.reserved
        )
    }
}
