//! Ports for the nightly statistics of organisations and of storage.

use super::{Listed, PageAsk, PortFuture};
use crate::OrgId;
use crate::events::Event;
use crate::stats::{CountedCall, DaySpan, DayStats, Ledger, StatsKept, StorageDay};

/// Walks through all organisations. `dynamodb:Query`.
pub trait WalkOrgs {
    /// The position of one walk. The default is the start.
    type Walk: Default + Send;

    /// Returns about `limit` more organisations. Returns an empty list at the end of the walk. A walk returns each
    /// organisation at most once.
    fn walk_orgs(&self, limit: u32, walk: &mut Self::Walk) -> impl PortFuture<Vec<OrgId>>;
}

/// Adds organisations to the list that [`WalkOrgs`] reads, if they were created before that list existed. For
/// operators: `dynamodb:Scan`, `dynamodb:UpdateItem`.
pub trait EnrolOrgs {
    /// Scans a part of the table. Returns how many organisations it has added, and where the next part starts, if there
    /// is one.
    fn enrol_orgs(&self, after: Option<&str>) -> impl PortFuture<(u32, Option<String>)>;
}

/// Reads the parts of receipts that statistics need. `dynamodb:Query`.
pub trait ReadCalls {
    /// Returns a page of calls admitted on some days, oldest first, without a total.
    fn read_calls(&self, org: OrgId, span: DaySpan, page: &PageAsk) -> impl PortFuture<Listed<CountedCall>>;
}

/// Stores the statistics of a day. `dynamodb:PutItem`.
pub trait KeepStats {
    /// Stores the statistics, unless a later count is stored. If the day had none before, the event is written in the
    /// same transaction.
    fn keep_stats(&self, stats: &DayStats, ready: &Event) -> impl PortFuture<StatsKept>;
}

/// Lists an organisation's statistics. `dynamodb:Query`.
pub trait ListStats {
    /// Returns the stored statistics of some days, oldest first.
    fn list_stats(&self, org: OrgId, span: DaySpan) -> impl PortFuture<Vec<DayStats>>;
}

/// Walks through the ledgers of all users with a grant. `dynamodb:Query`, `dynamodb:BatchGetItem`.
pub trait WalkLedgers {
    /// Returns more ledgers, and the position after which to continue, which is `None` at the end of the walk. A walk
    /// returns each ledger at most once.
    fn walk_ledgers(&self, after: Option<&str>) -> impl PortFuture<(Vec<Ledger>, Option<String>)>;
}

/// Stores the storage totals of a day. `dynamodb:PutItem`.
pub trait KeepStorage {
    /// Stores the totals, unless a later count is stored. Returns whether it stored them.
    fn keep_storage(&self, storage: &StorageDay) -> impl PortFuture<bool>;
}

/// Lists storage totals. For operators: `dynamodb:Query`.
pub trait ListStorage {
    /// Returns the stored totals of some days, oldest first.
    fn list_storage(&self, span: DaySpan) -> impl PortFuture<Vec<StorageDay>>;
}
