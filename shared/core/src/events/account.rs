//! Events about people's accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::profiles::ClosedBecause;
use crate::{ExportId, Timestamp, UserId};

/// `account.closed`. It names nobody but by their id, because the account's data is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountClosed {
    /// Id of the person.
    pub user_id: UserId,
    /// Why: `asked` if the person asked for it, `deleted` if Clerk deleted the account, `operator` if an operator closed it.
    pub cause: ClosedBecause,
}

/// `account.export-requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountExportRequested {
    /// Id of the export.
    pub export_id: ExportId,
    /// Id of the person.
    pub user_id: UserId,
}

/// `account.export-ready`. It has no address to download from: whoever signs in gets signed URLs that are five minutes old
/// at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountExportReady {
    /// Id of the export.
    pub export_id: ExportId,
    /// Id of the person.
    pub user_id: UserId,
    /// When it expires.
    pub expires_at: Timestamp,
}
