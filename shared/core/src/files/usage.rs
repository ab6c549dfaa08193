//! A user's storage ledger: bytes reserved and bytes stored, by kind.

use super::Kind;
use crate::rates::Windows;
use crate::{Code, Fault, Plan};

/// Number and bytes of stored files of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct KindUsage {
    pub files: u64,
    pub bytes: u64,
}

/// The storage ledger of one user.
///
/// `committed` is what counts against the plan: the bytes of stored files and those reserved for open grants. It is one
/// number so that a grant needs one condition, `committed <= limit - size`. The limit comes from the plan in the
/// caller's token, so it may change from one grant to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes stored and reserved together.
    pub committed: u64,
    /// Bytes reserved for uploads that have not arrived.
    pub reserved: u64,
    /// Stored files by kind, in the order of [`Kind::ALL`].
    pub by_kind: [KindUsage; Kind::ALL.len()],
    /// The windows of what is counted for the user.
    pub windows: Windows,
}

impl Usage {
    /// Returns the stored files and bytes of one kind.
    pub fn of(&self, kind: Kind) -> KindUsage {
        self.by_kind[kind as usize]
    }

    /// Returns the number of stored files, of one kind or of all.
    pub fn files(&self, kind: Option<Kind>) -> u64 {
        match kind {
            Some(kind) => self.of(kind).files,
            None => self.by_kind.iter().map(|usage| usage.files).sum(),
        }
    }

    /// Returns the number of stored bytes.
    pub fn bytes(&self) -> u64 {
        self.by_kind.iter().map(|usage| usage.bytes).sum()
    }

    /// Returns the 403 for a grant that does not fit the plan. `committed` and `size` are in bytes.
    pub fn refusal(committed: u64, size: u64, plan: Plan) -> Fault {
        let limit = plan.allowances().storage;
        let left = limit.saturating_sub(committed);
        Fault::new(
            Code::StorageQuotaExceeded,
            format!(
                "size exceeds your storage: the file needs {}, and {} of your plan's {} are left",
                in_words(size),
                in_words(left),
                in_words(limit)
            ),
        )
        .detail("field", "size")
        .detail("limit", limit)
        .detail("committed", committed)
        .detail("left", left)
    }
}

/// Formats a size for people: `12 MB`, `1.5 GB`. Units are powers of two; one decimal, rounded down.
pub fn in_words(bytes: u64) -> String {
    let units = [(1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} bytes");
    };
    let (whole, tenths) = (bytes / unit, bytes % unit * 10 / unit);
    if tenths == 0 { format!("{whole} {name}") } else { format!("{whole}.{tenths} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_formatted_for_people() {
        assert_eq!(in_words(0), "0 bytes");
        assert_eq!(in_words(1023), "1023 bytes");
        assert_eq!(in_words(12 << 20), "12 MB");
        assert_eq!(in_words((3 << 30) / 2), "1.5 GB");
        assert_eq!(in_words(10 << 40), "10 TB");
    }
}
