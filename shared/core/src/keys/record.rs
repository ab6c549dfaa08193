//! The record of a key: all its state, in one item.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::Actor;
use crate::periods::{Day, Month};
use crate::{KeyId, OrgId, Timestamp, UserId};

/// What a key spends: an organisation's credits, or its creator's test credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum KeyMode {
    Production,
    Test,
}

impl KeyMode {
    /// Gives the environment's name in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    /// Gives the word that stands for it inside a key.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Production => "live",
            Self::Test => "test",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Production, Self::Test].into_iter().find(|environment| environment.name() == name)
    }
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum KeyStatus {
    Active,
    /// Until an operator lets it work again.
    Suspended,
    /// For good.
    Revoked,
    /// Gone for everyone but the audit trail.
    Deleted,
}

impl KeyStatus {
    /// Gives the status's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Deleted => "deleted",
        }
    }

    /// Says whether the key works or may work again.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Revoked, Self::Deleted].into_iter().find(|status| status.name() == name)
    }
}

/// A key, but for its secret text, of which only a MAC is kept, in a [`Pointer`] of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// Whose it is.
    pub org: OrgId,
    /// Its id, through all its rotations.
    pub id: KeyId,
    /// Its name, for people.
    pub name: String,
    /// What it spends.
    pub environment: KeyMode,
    /// What it may be used for.
    pub scopes: BTreeSet<String>,
    /// Charged calls it may make in a day (UTC).
    pub daily_quota: Option<u64>,
    /// Charged calls it may make in a month (UTC).
    pub monthly_quota: Option<u64>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Whether it works.
    pub status: KeyStatus,
    /// Which text of it is current; the first is 1, each rotation adds one.
    pub generation: u32,
    /// Until when the text before the current one works too.
    pub previous_until: Option<Timestamp>,
    /// Beginning of its text: `sk_live`.
    pub prefix: String,
    /// Last four characters of its current text.
    pub hint: String,
    /// Whose test wallet it spends, when it is a test key: its creator's, and once they have left, an owner's.
    pub spender: Option<UserId>,
    /// Who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was carried over from an older installation, to work on by its text, if it was.
    pub migrated_at: Option<Timestamp>,
    /// Who revoked it, when, and why.
    pub revoked: Option<(Actor, Timestamp, String)>,
    /// When it was last charged, and from which address.
    pub last_used: Option<(Timestamp, Option<String>)>,
    /// Charged calls by period: `2026-11-21` and `2026-11`. Entries of past periods do no harm.
    pub used: BTreeMap<String, u64>,
    /// Counts the changes people make; charging does not count.
    pub revision: u64,
}

impl ApiKey {
    /// Gives the charged calls of the day a moment falls on.
    pub fn daily_used(&self, now: Timestamp) -> u64 {
        self.used.get(&Day::of(now).to_string()).copied().unwrap_or(0)
    }

    /// Gives the charged calls of the month a moment falls in.
    pub fn monthly_used(&self, now: Timestamp) -> u64 {
        self.used.get(&Month::of(now).to_string()).copied().unwrap_or(0)
    }

    /// Gives what of the key's current text never changes.
    pub fn facts(&self) -> KeyFacts {
        KeyFacts {
            org: self.org,
            id: self.id,
            environment: self.environment,
            generation: self.generation,
            spender: self.spender.clone(),
        }
    }

    /// Says whether it still works by the text an older installation gave it.
    pub fn is_legacy(&self) -> bool {
        self.migrated_at.is_some() && self.generation == 1 && self.status.is_live()
    }

    /// Counts one charged call.
    pub fn count_call(&mut self, ip: Option<&str>, now: Timestamp) {
        for period in [Day::of(now).to_string(), Month::of(now).to_string()] {
            *self.used.entry(period).or_default() += 1;
        }
        self.last_used = Some((now, ip.map(str::to_owned)));
    }
}

/// What of a key never changes: all that an environment may remember of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Whose it is.
    pub org: OrgId,
    /// Its id.
    pub id: KeyId,
    /// What it spends.
    pub environment: KeyMode,
    /// Which text of it this is.
    pub generation: u32,
    /// Whose test wallet it spends. It changes when that person leaves; a charge is made on condition that it has not.
    pub spender: Option<UserId>,
}

/// Where a key's text leads: its MAC under one pepper. Does not print.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    /// Version of the pepper; [`Pointer::HASHED`] stands before all of them.
    pub pepper: u32,
    /// The MAC in base64url, or the hash of the older scheme in hex.
    pub mac: String,
}

impl Pointer {
    /// Stands in the place of a pepper's version for hashes of the scheme before peppers had versions.
    pub const HASHED: u32 = 0;

    /// Makes the pointer of a key that was carried over as a hash, 64 hexadecimal digits of SHA-256.
    pub fn hashed(hash: &str) -> Option<Self> {
        let hex = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| Self { pepper: Self::HASHED, mac: hash.to_ascii_lowercase() })
    }

    /// Says whether it is one of the older scheme, which goes once the key has been seen.
    pub fn is_hashed(&self) -> bool {
        self.pepper == Self::HASHED
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pointer(v{})", self.pepper)
    }
}
