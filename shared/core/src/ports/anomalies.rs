//! What is needed to notice what is unusual, and to stop it.

use super::PortFuture;
use crate::anomalies::{Activity, Alarm, OnAnomaly, RaiseOutcome};
use crate::audit::AuditEntry;
use crate::keys::ApiKey;
use crate::{KeyId, OrgId, Timestamp};

/// Tells what was going on. `dynamodb:Query`.
pub trait ListActivity {
    /// Gives every key that was charged and every organisation that made keys between two times, each once, to the whole ten
    /// minutes in which they lie.
    fn list_activity(&self, from: Timestamp, to: Timestamp) -> impl PortFuture<Vec<Activity>>;
}

/// Reads many keys at once. `dynamodb:BatchGetItem`.
pub trait GetKeys {
    /// Gives those there are, deleted ones included, in no particular order.
    fn get_keys(&self, keys: &[(OrgId, KeyId)]) -> impl PortFuture<Vec<ApiKey>>;
}

/// Tells whence a key was used. `dynamodb:Query`.
pub trait ListCalls {
    /// Gives when each charged call since a time was admitted and from which country it came, newest first, of at most so
    /// many; calls whose country was not told are left out.
    fn list_calls(
        &self,
        org: OrgId,
        key: KeyId,
        since: Timestamp,
        limit: usize,
    ) -> impl PortFuture<Vec<(Timestamp, String)>>;
}

/// Tells of an anomaly and does what is to be done about it, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait RaiseAnomaly {
    /// Raises the alarm, unless its like was raised and is still quiet.
    fn raise_anomaly(&self, alarm: &Alarm) -> impl PortFuture<RaiseOutcome>;
}

/// Chooses what is done about an organisation's anomalies, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait SetOnAnomaly {
    /// Sets it; `false` when there is no such organisation.
    fn set_on_anomaly(&self, org: OrgId, policy: OnAnomaly, audit: &AuditEntry) -> impl PortFuture<bool>;
}
