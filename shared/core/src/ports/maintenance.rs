//! Ports for the nightly maintenance of keys and wallets.

use super::{Listed, PageAsk, PortFuture};
use crate::credits::WalletId;
use crate::keys::ApiKey;
use crate::{KeyId, OrgId, Timestamp};

/// Walks through an organisation's keys, including revoked and deleted ones. `dynamodb:Query`.
pub trait WalkKeys {
    /// Returns a page, oldest first, without a total.
    fn walk_keys(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<ApiKey>>;
}

/// Deletes counters of past periods from a key. `dynamodb:UpdateItem`.
pub trait ForgetPeriods {
    /// Deletes the counters. Succeeds if they do not exist.
    fn forget_periods(&self, org: OrgId, key: KeyId, periods: &[String]) -> impl PortFuture<()>;
}

/// Expires the lots of a wallet that are due. `dynamodb:GetItem`, `dynamodb:UpdateItem`, `dynamodb:PutItem`.
pub trait ExpireLots {
    /// Expires lots as of `now`, and writes the event if that crosses an alert threshold. Returns `false` if no lot was
    /// due or the wallet does not exist.
    fn expire_lots(&self, wallet: &WalletId, now: Timestamp) -> impl PortFuture<bool>;
}
