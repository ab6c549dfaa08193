//! Events about people's accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::UserId;
use crate::profiles::ClosedBecause;

/// `account.closed`. It names nobody but by their id, because the account's data is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountClosed {
    /// Id of the person.
    pub user_id: UserId,
    /// Why: `asked` if the person asked for it, `deleted` if Clerk deleted the account, `operator` if an operator closed it.
    pub cause: ClosedBecause,
}
