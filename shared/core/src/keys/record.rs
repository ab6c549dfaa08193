//! The record of an API key: its whole state, in one item.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::periods::{Day, Month};
use crate::rates::{Span, Window};
use crate::{KeyId, OrgId, Timestamp, UserId};

/// Whether a key is for production and spends its organisation's credits, or for tests and spends a person's test
/// credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum KeyMode {
    Production,
    Test,
}

impl KeyMode {
    /// Returns the name used in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    /// Returns its name within a key's text, as in `sk_live_...`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Production => "live",
            Self::Test => "test",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Production, Self::Test].into_iter().find(|environment| environment.name() == name)
    }
}

/// The status of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum KeyStatus {
    Active,
    /// Refused until an operator resumes it.
    Suspended,
    /// Refused for good: a person revoked it, or it was not replaced after a migration.
    Revoked,
    /// Deleted: nobody sees it any more. The record is kept for the audit log.
    Deleted,
}

impl KeyStatus {
    /// Returns the name used in answers and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
        }
    }

    /// Returns whether calls with the key are accepted, or can be accepted again.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Revoked, Self::Deleted].into_iter().find(|status| status.name() == name)
    }
}

/// An API key without its text.
///
/// The text is the secret that callers send, such as `sk_live_...`. Only its MAC is stored, in a separate [`Pointer`].
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// The organisation it belongs to.
    pub org: OrgId,
    /// Its id, the same through all rotations.
    pub id: KeyId,
    /// Its name, for people.
    pub name: String,
    /// Whether it is for production or for tests.
    pub environment: KeyMode,
    /// Scopes of the calls for which it may be used.
    pub scopes: BTreeSet<String>,
    /// Most charged calls in a minute, from the first of them.
    pub minute_quota: Option<u64>,
    /// Most charged calls in a day (UTC).
    pub daily_quota: Option<u64>,
    /// Most charged calls in a month (UTC).
    pub monthly_quota: Option<u64>,
    /// When it expires; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// Its current status.
    pub status: KeyStatus,
    /// Number of its current text. The first is 1, and each rotation adds one.
    pub generation: u32,
    /// Until when the previous text is accepted too.
    pub previous_until: Option<Timestamp>,
    /// First characters of its text, such as `sk_live`.
    pub prefix: String,
    /// Last four characters of its current text.
    pub hint: String,
    /// The person whose test wallet a test key spends: its creator or, once the creator has left the organisation, an
    /// owner. `None` for production keys.
    pub spender: Option<UserId>,
    /// Who created it, by their id.
    pub created_by: UserId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was migrated from an older installation, if it was. A migrated key keeps its text.
    pub migrated_at: Option<Timestamp>,
    /// Who revoked it, when, and why.
    pub revoked: Option<(Actor, Timestamp, String)>,
    /// When it was last charged, and the last address that was reported with a charge.
    pub last_used: Option<(Timestamp, Option<String>)>,
    /// Charged calls by period, `2026-11-21` and `2026-11`. Entries of past periods are ignored.
    pub used: BTreeMap<String, u64>,
    /// The window of the minute quota. It is kept only while the key has one.
    pub minute: Option<Window>,
    /// Number of changes by people. Charges do not count.
    pub revision: u64,
}

impl ApiKey {
    /// Returns the charged calls in the open minute. It is 0 for a key without a minute quota.
    pub fn minute_used(&self, now: Timestamp) -> u64 {
        self.minute_quota.map_or(0, |_| Window::counted(self.minute, Span::Minute, now))
    }

    /// Returns the charged calls on the day of `now`.
    pub fn daily_used(&self, now: Timestamp) -> u64 {
        self.used.get(&Day::of(now).to_string()).copied().unwrap_or(0)
    }

    /// Returns the charged calls in the month of `now`.
    pub fn monthly_used(&self, now: Timestamp) -> u64 {
        self.used.get(&Month::of(now).to_string()).copied().unwrap_or(0)
    }

    /// Returns the facts of the key and its current text that may be cached.
    pub fn facts(&self) -> KeyFacts {
        KeyFacts {
            org: self.org,
            id: self.id,
            environment: self.environment,
            generation: self.generation,
            spender: self.spender.clone(),
        }
    }

    /// Returns whether its current text is that of the older installation.
    pub fn is_legacy(&self) -> bool {
        self.migrated_at.is_some() && self.generation == 1 && self.status.is_live()
    }

    /// Counts one charged call. Without `ip` the last address that is known is kept.
    pub fn count_call(&mut self, ip: Option<&str>, now: Timestamp) {
        for period in [Day::of(now).to_string(), Month::of(now).to_string()] {
            *self.used.entry(period).or_default() += 1;
        }
        if self.minute_quota.is_some() {
            self.minute = Window::admit(self.minute, Span::Minute, u64::MAX, now);
        }
        let known = self.last_used.take().and_then(|(_, ip)| ip);
        self.last_used = Some((now, ip.map(str::to_owned).or(known)));
    }
}

/// The facts of a key that do not change, except `spender`. Only these may be cached by an execution environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The organisation it belongs to.
    pub org: OrgId,
    /// Id of the key.
    pub id: KeyId,
    /// Whether it is for production or for tests.
    pub environment: KeyMode,
    /// Generation of the text.
    pub generation: u32,
    /// The person whose test wallet it spends. This fact changes when the person leaves the organisation, so every
    /// charge checks it again.
    pub spender: Option<UserId>,
}

/// A key's text as it is stored: its MAC under one pepper. `Debug` does not show the MAC.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    /// Version of the pepper, or [`Pointer::HASHED`], which is lower than all versions.
    pub pepper: u32,
    /// The MAC in base64url, or the older installation's SHA-256 in hexadecimal.
    pub mac: String,
}

impl Pointer {
    /// The `pepper` of pointers of the older installation, which hashed texts without a pepper.
    pub const HASHED: u32 = 0;

    /// Returns the pointer of a key that was migrated as a hash: 64 hexadecimal digits of SHA-256.
    pub fn hashed(hash: &str) -> Option<Self> {
        let hex = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| Self { pepper: Self::HASHED, mac: hash.to_ascii_lowercase() })
    }

    /// Returns whether it is a hash of the older installation. Such a pointer is replaced at the key's first use.
    pub fn is_hashed(&self) -> bool {
        self.pepper == Self::HASHED
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer(v{})", self.pepper)
    }
}
