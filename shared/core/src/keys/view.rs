//! A key as its organisation sees it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiKey, KeyMode, KeyStatus};
use crate::Timestamp;

/// A key, without its text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeyView {
    /// Id, through all rotations.
    pub id: String,
    /// Name.
    pub name: String,
    /// Beginning of its text.
    pub prefix: String,
    /// Last four characters of its text.
    pub hint: String,
    /// What it spends.
    pub environment: KeyMode,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Charged calls it may make in a day (UTC).
    pub daily_quota: Option<u64>,
    /// Charged calls it may make in a month (UTC).
    pub monthly_quota: Option<u64>,
    /// When it stops working.
    pub expires_at: Option<String>,
    /// When it was issued.
    pub created_at: String,
    /// `active`, `suspended`, `revoked` or `expired`.
    pub status: &'static str,
    /// Charged calls today.
    pub daily_used: u64,
    /// Charged calls this month.
    pub monthly_used: u64,
    /// When it was last charged.
    pub last_used_at: Option<String>,
    /// From which address.
    pub last_used_ip: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Why.
    pub revoked_reason: Option<String>,
    /// Until when the text before the current one works too, while it does.
    pub previous_valid_until: Option<String>,
    /// True while it works by the text of an older installation, which must be rotated; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub legacy: bool,
}

impl KeyView {
    /// Shows a key as of a moment.
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        let status = match key.status {
            KeyStatus::Active if key.expires_at.is_some_and(|end| end <= now) => "expired",
            status => status.name(),
        };
        let last_used = key.last_used.as_ref();
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            prefix: key.prefix.clone(),
            hint: key.hint.clone(),
            environment: key.environment,
            scopes: key.scopes.iter().cloned().collect(),
            daily_quota: key.daily_quota,
            monthly_quota: key.monthly_quota,
            expires_at: key.expires_at.map(|end| end.to_string()),
            created_at: key.created_at.to_string(),
            status,
            daily_used: key.daily_used(now),
            monthly_used: key.monthly_used(now),
            last_used_at: last_used.map(|(at, _)| at.to_string()),
            last_used_ip: last_used.and_then(|(_, ip)| ip.clone()),
            revoked_at: key.revoked.as_ref().map(|(_, at, _)| at.to_string()),
            revoked_reason: key.revoked.as_ref().map(|(_, _, reason)| reason.clone()),
            previous_valid_until: key.previous_until.filter(|until| *until > now).map(|until| until.to_string()),
            legacy: key.is_legacy(),
        }
    }
}

/// A key with its text: shown in the one answer to the request that made it.
#[derive(Clone, Serialize, JsonSchema)]
pub struct IssuedKey {
    /// The text. It is not kept; whoever loses it rotates the key.
    pub key: String,
    /// The key.
    #[serde(flatten)]
    pub view: KeyView,
}
