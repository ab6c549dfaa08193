//! Ports to detect anomalies and to respond to them.

use super::PortFuture;
use crate::anomalies::{Activity, Alarm, OnAnomaly, RaiseOutcome};
use crate::audit::AuditEntry;
use crate::keys::ApiKey;
use crate::{KeyId, OrgId, Timestamp};

/// Lists recorded activity. `dynamodb:Query`.
pub trait ListActivity {
    /// Returns every key that was charged and every organisation that created keys between two times, each once. The
    /// times are rounded outwards to whole spans of ten minutes.
    fn list_activity(&self, from: Timestamp, to: Timestamp) -> impl PortFuture<Vec<Activity>>;
}

/// Reads many keys at once. `dynamodb:BatchGetItem`.
pub trait GetKeys {
    /// Returns the keys that exist, including deleted ones, in no particular order.
    fn get_keys(&self, keys: &[(OrgId, KeyId)]) -> impl PortFuture<Vec<ApiKey>>;
}

/// Lists the countries from which a key was used. `dynamodb:Query`.
pub trait ListCalls {
    /// Returns the time and country of the calls of a key that were admitted since a time, newest first. It reads at
    /// most `limit` calls and leaves out those without a known country.
    fn list_calls(
        &self,
        org: OrgId,
        key: KeyId,
        since: Timestamp,
        limit: usize,
    ) -> impl PortFuture<Vec<(Timestamp, String)>>;
}

/// Raises an alarm with its response, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait RaiseAnomaly {
    /// Raises the alarm, unless an earlier one of its kind still silences it.
    fn raise_anomaly(&self, alarm: &Alarm) -> impl PortFuture<RaiseOutcome>;
}

/// Sets an organisation's response to anomalies, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait SetOnAnomaly {
    /// Sets the policy. Returns `false` if the organisation does not exist.
    fn set_on_anomaly(&self, org: OrgId, policy: OnAnomaly, audit: &AuditEntry) -> impl PortFuture<bool>;
}
