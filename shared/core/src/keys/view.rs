//! API keys as the API shows them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiKey, KeyMode, KeyStatus};
use crate::Timestamp;

/// A key without its text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeyView {
    /// Id of the key, the same through all rotations.
    pub id: String,
    /// Name for people, as its creator wrote it.
    pub name: String,
    /// First characters of its text.
    pub prefix: String,
    /// Last four characters of its text.
    pub hint: String,
    /// Whether it is for production or for tests.
    pub environment: KeyMode,
    /// Scopes of the calls for which it may be used.
    pub scopes: Vec<String>,
    /// Most charged calls in a minute, from the first of them.
    pub minute_quota: Option<u64>,
    /// Most charged calls in a day (UTC).
    pub daily_quota: Option<u64>,
    /// Most charged calls in a month (UTC).
    pub monthly_quota: Option<u64>,
    /// When it expires; null if never.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// Id of the user who issued it. They may have left the organisation since.
    pub created_by: String,
    /// Name of that user, in lists; absent if it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by_name: Option<String>,
    /// When it was issued.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// `active`, `suspended`, `revoked` or `expired`.
    #[schemars(extend("enum" = ["active", "suspended", "revoked", "expired"]))]
    pub status: &'static str,
    /// Charged calls in the open minute; 0 without a minute quota.
    pub minute_used: u64,
    /// Charged calls today (UTC).
    pub daily_used: u64,
    /// Charged calls this month (UTC).
    pub monthly_used: u64,
    /// When it was last charged.
    #[schemars(extend("format" = "date-time"))]
    pub last_used_at: Option<String>,
    /// Last address reported with a charge.
    pub last_used_ip: Option<String>,
    /// When it was revoked.
    #[schemars(extend("format" = "date-time"))]
    pub revoked_at: Option<String>,
    /// Why it was revoked.
    pub revoked_reason: Option<String>,
    /// Until when the previous text is accepted too; null if it is not.
    #[schemars(extend("format" = "date-time"))]
    pub previous_valid_until: Option<String>,
    /// True while its text is that of an older installation, which must be replaced by a rotation; otherwise absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub legacy: bool,
}

impl KeyView {
    /// Builds the view of a key at a moment, without the name of its creator.
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
            minute_quota: key.minute_quota,
            daily_quota: key.daily_quota,
            monthly_quota: key.monthly_quota,
            expires_at: key.expires_at.map(|end| end.to_string()),
            created_by: key.created_by.to_string(),
            created_by_name: None,
            created_at: key.created_at.to_string(),
            status,
            minute_used: key.minute_used(now),
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

/// A key with its text, which only the answers to its issue and its rotation show.
#[derive(Clone, Serialize, JsonSchema)]
pub struct IssuedKey {
    /// The key's text: the secret that callers send. It is not stored. If it is lost, rotate the key.
    pub key: String,
    /// The key without its text.
    #[serde(flatten)]
    pub view: KeyView,
}
