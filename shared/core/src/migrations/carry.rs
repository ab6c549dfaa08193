//! The migration of one key. The new id is derived from the old one, so a repeated migration finds the key that exists.

use std::collections::BTreeMap;

use serde_json::json;

use super::{AccessLevel, MigrationId};
use crate::audit::{AuditAction, AuditEntry};
use crate::credits::Wallet;
use crate::keys::{ApiKey, ChangeContext, KeyMode, KeyStatus, Pointer};
use crate::orgs::{Member, OrgRole, Organisation};
use crate::periods::Day;
use crate::ports::NewOrg;
use crate::{Fault, KeyId, OrgId, UserId};

/// Name of the organisation created for a person who had none.
const PERSONAL: &str = "Personal";
/// Reason recorded for a key that had been revoked before.
const REVOKED_BEFORE: &str = "Revoked before it was migrated";

/// A key of an older installation, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyKey {
    /// Its id in the older installation.
    pub id: String,
    /// The organisation to which it belonged.
    pub place: Place,
    /// The person to whom it was issued.
    pub owner: UserId,
    /// Its name, for people.
    pub name: String,
    /// Its access level, which becomes scopes.
    pub access: AccessLevel,
    /// The stored facts of its text.
    pub text: TextFacts,
    /// When it was issued.
    pub created_at: crate::Timestamp,
    /// When it was last used.
    pub last_used_at: Option<crate::Timestamp>,
    /// Whether it had been revoked.
    pub revoked: bool,
}

/// The facts of a key's text that are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFacts {
    /// The pointer of the text.
    pub pointer: Pointer,
    /// Whether the key is for production or for tests.
    pub environment: KeyMode,
    /// First characters of the text, such as `sk_live`.
    pub prefix: String,
    /// Last four characters of the text; empty if only its hash is known.
    pub hint: String,
}

/// The organisation to which a key belonged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// None: the key belonged to its owner alone. It goes to one new organisation of that owner.
    Personal,
    /// An organisation of the older installation, by its id there. One new organisation is created for it.
    Former(String),
    /// An organisation that already exists in this installation.
    Here(OrgId),
}

impl LegacyKey {
    /// Returns the id of the organisation to which it goes.
    pub fn org(&self) -> OrgId {
        match &self.place {
            Place::Personal => OrgId::derive(&["migration", "personal", self.owner.as_str()]),
            Place::Former(id) => OrgId::derive(&["migration", "organisation", id]),
            Place::Here(org) => *org,
        }
    }

    /// Returns its new id.
    pub fn key_id(&self) -> KeyId {
        KeyId::derive(&["migration", "key", &self.id])
    }

    fn org_name(&self) -> &str {
        match &self.place {
            Place::Former(id) => id,
            Place::Personal | Place::Here(_) => PERSONAL,
        }
    }

    /// Builds the key that it becomes.
    pub fn key(&self, by: &ChangeContext<'_>) -> ApiKey {
        let TextFacts { environment, prefix, hint, .. } = &self.text;
        let revoked = (by.origin.actor.clone(), by.now, REVOKED_BEFORE.to_owned());
        ApiKey {
            org: self.org(),
            id: self.key_id(),
            name: self.name.clone(),
            environment: *environment,
            scopes: self.access.scopes(),
            minute_quota: None,
            daily_quota: None,
            monthly_quota: None,
            expires_at: None,
            status: if self.revoked { KeyStatus::Revoked } else { KeyStatus::Active },
            generation: 1,
            previous_until: None,
            prefix: prefix.clone(),
            hint: hint.clone(),
            spender: (*environment == KeyMode::Test).then(|| self.owner.clone()),
            created_by: self.owner.clone(),
            created_at: self.created_at,
            // A revoked key does not need to be replaced.
            migrated_at: (!self.revoked).then_some(by.now),
            revoked: self.revoked.then_some(revoked),
            last_used: self.last_used_at.map(|at| (at, None)),
            used: BTreeMap::new(),
            minute: None,
            revision: 1,
        }
    }

    /// Builds its owner's membership in the organisation to which it goes.
    pub fn member(&self, role: OrgRole, by: &ChangeContext<'_>) -> Member {
        Member { org: self.org(), user: self.owner.clone(), role, joined_at: by.now }
    }

    /// Builds the organisation to create for it. The key's owner becomes the organisation's owner.
    ///
    /// # Errors
    /// `INVALID_REQUEST` if the former organisation's id cannot be a name.
    pub fn new_org(&self, by: &ChangeContext<'_>) -> Result<NewOrg, Fault> {
        let org = Organisation::with_id(self.org(), self.org_name(), by.now)?;
        let (id, details) = (org.id, json!({ "name": org.name, "migrated": true }));
        Ok(NewOrg {
            owner: self.member(OrgRole::Owner, by),
            wallet: Wallet::of_organisation(id, by.now),
            audit: AuditEntry::new(id, AuditAction::OrgCreated, id.to_string(), by.origin, by.now, details),
            org,
            plan: None,
            seen: None,
            idempotent: None,
        })
    }
}

/// A key to migrate. The key, its pointer, its owner's membership, its audit entry and the count in its migration are
/// written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct MigratedKey {
    /// The key to record.
    pub key: ApiKey,
    /// The pointer of its text.
    pub pointer: Pointer,
    /// Its owner's membership in the organisation, if the owner is not a member yet.
    pub member: Option<Member>,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

impl MigratedKey {
    /// Returns the migration that counts the key and notifies its owner. Returns `None` for a revoked key.
    pub fn migration(&self) -> Option<MigrationId> {
        MigrationId::of(&self.key)
    }
}

/// The outcome of migrating a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateOutcome {
    /// The key was written.
    Applied,
    /// Another key has the same text. Nothing was written.
    TextTaken,
    /// The key, its owner's membership or the pepper has changed since it was read. Nothing was written.
    Conflict,
}

impl MigrationId {
    /// Returns the id of the migration to which a key belongs: its organisation, its owner and the day on which it was
    /// migrated. Returns `None` if it was not migrated.
    pub fn of(key: &ApiKey) -> Option<Self> {
        let day = Day::of(key.migrated_at?);
        Some(Self { org: key.org, owner: key.created_by.clone(), day })
    }
}
