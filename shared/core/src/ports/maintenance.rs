//! What upkeep needs of the outside world.

use super::{Listed, PageAsk, PortFuture};
use crate::credits::WalletId;
use crate::keys::ApiKey;
use crate::{KeyId, OrgId, Timestamp};

/// Goes through an organisation's keys, those that work no more among them. `dynamodb:Query`.
pub trait WalkKeys {
    /// Gives a page, oldest first, without a total.
    fn walk_keys(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<ApiKey>>;
}

/// Forgets counters of a key. `dynamodb:UpdateItem`.
pub trait ForgetPeriods {
    /// Removes them; those that are gone already are removed.
    fn forget_periods(&self, org: OrgId, key: KeyId, periods: &[String]) -> impl PortFuture<()>;
}

/// Settles a wallet in which a lot has expired, or whose period is over. `dynamodb:GetItem`, `dynamodb:UpdateItem`,
/// `dynamodb:PutItem`.
pub trait ExpireLots {
    /// Settles it as of `now`, and tells its owner if little is left then; `false` when there is nothing to settle, or no
    /// such wallet.
    fn expire_lots(&self, wallet: &WalletId, now: Timestamp) -> impl PortFuture<bool>;
}
