//! Ports for the operators' command line, which looks at every tenant. No function has them.

use super::{Listed, PageAsk, PortFuture};
use crate::audit::{Actor, AuditEntry};
use crate::credits::{Hold, WalletId};
use crate::orgs::Organisation;
use crate::stats::Ledger;
use crate::{OrgId, Timestamp, UserId};

/// Lists all organisations. `dynamodb:Query`.
pub trait ListAllOrgs {
    /// Returns a page, newest first, without a total. With `suspended`, only organisations that are suspended, or only
    /// those that are not; then the whole list may be read for one page.
    ///
    /// A page continues after the id of the last organisation of the previous one.
    fn list_all_orgs(&self, suspended: Option<bool>, page: &PageAsk) -> impl PortFuture<Listed<Organisation>>;
}

/// Which entries of an audit log a search finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditSearch {
    /// Only entries from this time on, if set.
    pub since: Option<Timestamp>,
    /// Only actions whose name starts with this, such as `key.`; empty for all.
    pub action: String,
    /// Only what this actor did, if set.
    pub actor: Option<Actor>,
}

impl AuditSearch {
    /// Returns whether it finds an entry.
    pub fn finds(&self, entry: &AuditEntry) -> bool {
        self.since.is_none_or(|since| entry.at >= since)
            && entry.action.name().starts_with(&self.action)
            && self.actor.as_ref().is_none_or(|actor| entry.origin.actor == *actor)
    }
}

/// Searches the audit log of an organisation, or without one, the installation's own. `dynamodb:Query`.
pub trait SearchAudit {
    /// Returns a page, newest first, without a total. A page can be short although another follows, because only so
    /// much of the log is read for one page.
    fn search_audit(
        &self,
        org: Option<OrgId>,
        search: &AuditSearch,
        page: &PageAsk,
    ) -> impl PortFuture<Listed<AuditEntry>>;
}

/// Finds the open holds of a wallet. `dynamodb:Query`.
pub trait FindHolds {
    /// Returns the holds, the first to expire first. Reads everything that waits for `sweep` in the installation,
    /// because holds have no index by wallet.
    fn find_holds(&self, wallet: &WalletId) -> impl PortFuture<Vec<Hold>>;
}

/// Reads the storage ledgers of some users, with the plan of their last grant. `dynamodb:BatchGetItem`.
pub trait GetLedgers {
    /// Returns the ledgers in no particular order. Users who have never been granted an upload have none.
    fn get_ledgers(&self, owners: &[UserId]) -> impl PortFuture<Vec<Ledger>>;
}
