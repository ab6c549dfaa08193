//! Checked requests to create or change keys.

use std::collections::BTreeSet;

use super::KeyMode;
use crate::{Fault, Timestamp, services, text};

/// Longest name of a key, in characters.
pub const KEY_NAME_MAX: usize = 100;
/// Largest quota: up to 2^53, JSON numbers are exact in every language.
pub const QUOTA_MAX: u64 = 1 << 53;

/// Most charged calls in a minute, a day and a month. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // As in `ApiKey`.
pub struct Quotas {
    pub minute: Option<u64>,
    pub daily: Option<u64>,
    pub monthly: Option<u64>,
}

/// A key to create.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // As in `ApiKey`.
pub struct KeyRequest {
    pub name: String,
    pub environment: KeyMode,
    pub scopes: BTreeSet<String>,
    pub quotas: Quotas,
    pub expires_at: Option<Timestamp>,
}

impl KeyRequest {
    /// Parses the fields of a request.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field.
    pub fn parse(
        name: &str,
        environment: KeyMode,
        scopes: &[String],
        quotas: Quotas,
        expires_at: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(Self {
            name: parse_name(name)?,
            environment,
            scopes: parse_scopes(scopes)?,
            quotas: Quotas {
                minute: parse_quota("minute_quota", quotas.minute)?,
                daily: parse_quota("daily_quota", quotas.daily)?,
                monthly: parse_quota("monthly_quota", quotas.monthly)?,
            },
            expires_at: expires_at.map(|text| parse_expiry(text, now)).transpose()?,
        })
    }
}

/// A change of a key. `None` keeps a field. `Some(None)` removes a quota or the expiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // As in `ApiKey`.
pub struct KeyPatch {
    pub name: Option<String>,
    pub scopes: Option<BTreeSet<String>>,
    pub minute_quota: Option<Option<u64>>,
    pub daily_quota: Option<Option<u64>>,
    pub monthly_quota: Option<Option<u64>>,
    pub expires_at: Option<Option<Timestamp>>,
}

impl KeyPatch {
    /// Parses the fields of a request, each of which is absent, null or a value.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field. Name and scopes cannot be null.
    pub fn parse(
        name: Option<Option<&str>>,
        scopes: Option<Option<&[String]>>,
        minute_quota: Option<Option<u64>>,
        daily_quota: Option<Option<u64>>,
        monthly_quota: Option<Option<u64>>,
        expires_at: Option<Option<&str>>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let needed = |field: &str| Fault::field(field, format!("{field} cannot be null"));
        Ok(Self {
            name: name.map(|name| parse_name(name.ok_or_else(|| needed("name"))?)).transpose()?,
            scopes: scopes.map(|scopes| parse_scopes(scopes.ok_or_else(|| needed("scopes"))?)).transpose()?,
            minute_quota: minute_quota.map(|quota| parse_quota("minute_quota", quota)).transpose()?,
            daily_quota: daily_quota.map(|quota| parse_quota("daily_quota", quota)).transpose()?,
            monthly_quota: monthly_quota.map(|quota| parse_quota("monthly_quota", quota)).transpose()?,
            expires_at: expires_at.map(|end| end.map(|text| parse_expiry(text, now)).transpose()).transpose()?,
        })
    }

    /// Returns whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn parse_name(name: &str) -> Result<String, Fault> {
    text::label("name", name, KEY_NAME_MAX)
}

fn parse_scopes(scopes: &[String]) -> Result<BTreeSet<String>, Fault> {
    let known = |scope: &String| {
        services::scope(scope).map(str::to_owned).ok_or_else(|| {
            Fault::field("scopes", services::unknown_scope(scope)).detail("supported", services::scopes())
        })
    };
    let scopes: BTreeSet<String> = scopes.iter().map(known).collect::<Result<_, _>>()?;
    if scopes.is_empty() {
        return Err(Fault::field("scopes", "scopes must name at least one scope; GET /api/services lists them")
            .detail("supported", services::scopes()));
    }
    Ok(scopes)
}

fn parse_quota(field: &str, quota: Option<u64>) -> Result<Option<u64>, Fault> {
    match quota {
        Some(0) => Err(Fault::field(field, format!("{field} must be at least 1; to stop a key, revoke it"))),
        Some(quota) if quota > QUOTA_MAX => {
            Err(Fault::field(field, format!("{field} must be at most {QUOTA_MAX}")).detail("limit", QUOTA_MAX))
        }
        quota => Ok(quota),
    }
}

fn parse_expiry(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    match Timestamp::parse(text) {
        Some(end) if end > now => Ok(end),
        Some(_) => Err(Fault::field("expires_at", "expires_at must be in the future")),
        None => Err(Fault::field("expires_at", "expires_at must be a time such as 2027-01-31T00:00:00Z")),
    }
}
