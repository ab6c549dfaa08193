//! What statistics need of the outside world.

use super::{Listed, PageAsk, PortFuture};
use crate::OrgId;
use crate::events::Event;
use crate::stats::{CountedCall, DaySpan, DayStats, Ledger, StatsKept, StorageDay};

/// Goes through all organisations there are. `dynamodb:Query`.
pub trait WalkOrgs {
    /// How far one walk has come; it begins with the default.
    type Walk: Default + Send;

    /// Gives some more of them, about `limit`, each once a walk; none when the walk is over.
    fn walk_orgs(&self, limit: u32, walk: &mut Self::Walk) -> impl PortFuture<Vec<OrgId>>;
}

/// Lists organisations that were founded before [`WalkOrgs`] could find them. For operators: `dynamodb:Scan`,
/// `dynamodb:UpdateItem`.
pub trait EnrolOrgs {
    /// Looks through a part of the table; gives how many organisations it has listed there, and where the next part begins.
    fn enrol_orgs(&self, after: Option<&str>) -> impl PortFuture<(u32, Option<String>)>;
}

/// Reads what is counted of an organisation's receipts. `dynamodb:Query`.
pub trait ReadCalls {
    /// Gives a page of those admitted on some days, oldest first, without a total.
    fn read_calls(&self, org: OrgId, span: DaySpan, page: &PageAsk) -> impl PortFuture<Listed<CountedCall>>;
}

/// Keeps the figures of a day. `dynamodb:PutItem`.
pub trait KeepStats {
    /// Puts them in the place of those counted earlier, if there are any; else the event goes with them, in one transaction.
    fn keep_stats(&self, stats: &DayStats, ready: &Event) -> impl PortFuture<StatsKept>;
}

/// Lists an organisation's figures. `dynamodb:Query`.
pub trait ListStats {
    /// Gives the figures that are kept of some days, the first day first.
    fn list_stats(&self, org: OrgId, span: DaySpan) -> impl PortFuture<Vec<DayStats>>;
}

/// Goes through the ledgers of all users who were ever granted bytes. `dynamodb:Query`, `dynamodb:BatchGetItem`.
pub trait WalkLedgers {
    /// Gives some more of them, each once a walk, and behind which the next ones come; `None` when these were the last.
    fn walk_ledgers(&self, after: Option<&str>) -> impl PortFuture<(Vec<Ledger>, Option<String>)>;
}

/// Keeps what was stored on a day. `dynamodb:PutItem`.
pub trait KeepStorage {
    /// Puts it in the place of what was counted earlier; `false` when a count that began later is there.
    fn keep_storage(&self, storage: &StorageDay) -> impl PortFuture<bool>;
}

/// Lists what was stored. For operators: `dynamodb:Query`.
pub trait ListStorage {
    /// Gives what is kept of some days, the first day first.
    fn list_storage(&self, span: DaySpan) -> impl PortFuture<Vec<StorageDay>>;
}
