//! Carrying one key over: its id here follows from its id there, so that doing it again finds it done.

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

/// Name of the organisation of somebody who had none.
const PERSONAL: &str = "Personal";
/// Why a key is revoked that was so there.
const REVOKED_BEFORE: &str = "Revoked before it was carried over";

/// A key of an older installation, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacyKey {
    /// Its id there.
    pub id: String,
    /// Whose it was.
    pub place: Place,
    /// Who had it issued.
    pub owner: UserId,
    /// Its name.
    pub name: String,
    /// What it was allowed.
    pub access: AccessLevel,
    /// What follows from its text.
    pub text: TextFacts,
    /// When it was issued.
    pub created_at: crate::Timestamp,
    /// When it was last used.
    pub last_used_at: Option<crate::Timestamp>,
    /// Whether it had been revoked.
    pub revoked: bool,
}

/// What follows from a key's text, and is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFacts {
    /// Where it leads.
    pub pointer: Pointer,
    /// What the key spends.
    pub environment: KeyMode,
    /// Beginning of the text: `sk_live`.
    pub prefix: String,
    /// Its last four characters; nothing when only its hash is known.
    pub hint: String,
}

/// Whose a key was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Its owner's alone; it goes to an organisation that is made for them, once.
    Personal,
    /// An organisation's of the older installation, by its id there; one is made for it, once.
    Former(String),
    /// An organisation's that is here already.
    Here(OrgId),
}

impl LegacyKey {
    /// Gives the organisation it goes to.
    pub fn org(&self) -> OrgId {
        match &self.place {
            Place::Personal => OrgId::derive(&["migration", "personal", self.owner.as_str()]),
            Place::Former(id) => OrgId::derive(&["migration", "organisation", id]),
            Place::Here(org) => *org,
        }
    }

    /// Gives its id here.
    pub fn key_id(&self) -> KeyId {
        KeyId::derive(&["migration", "key", &self.id])
    }

    fn org_name(&self) -> &str {
        match &self.place {
            Place::Former(id) => id,
            Place::Personal | Place::Here(_) => PERSONAL,
        }
    }

    /// The key it becomes.
    pub fn key(&self, by: &ChangeContext<'_>) -> ApiKey {
        let TextFacts { environment, prefix, hint, .. } = &self.text;
        let revoked = (by.origin.actor.clone(), by.now, REVOKED_BEFORE.to_owned());
        ApiKey {
            org: self.org(),
            id: self.key_id(),
            name: self.name.clone(),
            environment: *environment,
            scopes: self.access.scopes(),
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
            // What does not work need not be replaced.
            migrated_at: (!self.revoked).then_some(by.now),
            revoked: self.revoked.then_some(revoked),
            last_used: self.last_used_at.map(|at| (at, None)),
            used: BTreeMap::new(),
            revision: 1,
        }
    }

    /// The place its owner gets in the organisation it goes to.
    pub fn member(&self, role: OrgRole, by: &ChangeContext<'_>) -> Member {
        Member { org: self.org(), user: self.owner.clone(), role, joined_at: by.now }
    }

    /// The organisation to create for it, owned by its owner.
    ///
    /// # Errors
    /// `INVALID_REQUEST` when the former organisation's id cannot be a name.
    pub fn new_org(&self, by: &ChangeContext<'_>) -> Result<NewOrg, Fault> {
        let org = Organisation::found_as(self.org(), self.org_name(), by.now)?;
        let (id, details) = (org.id, json!({ "name": org.name, "migrated": true }));
        Ok(NewOrg {
            owner: self.member(OrgRole::Owner, by),
            wallet: Wallet::of_organisation(id, by.now),
            audit: AuditEntry::new(id, AuditAction::OrgCreated, id.to_string(), by.origin, by.now, details),
            org,
            seen: None,
            idempotent: None,
        })
    }
}

/// A key to be carried over: with the pointer of its text, its owner's place if they had none, audit entry, and the note
/// that its owner must be told; all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct MigratedKey {
    /// The key.
    pub key: ApiKey,
    /// Where its text leads.
    pub pointer: Pointer,
    /// Its owner's place in the organisation, if they have none yet.
    pub member: Option<Member>,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
}

impl MigratedKey {
    /// Names the migration whose owner must be told of the key; nobody is told of one that does not work.
    pub fn migration(&self) -> Option<MigrationId> {
        MigrationId::of(&self.key)
    }
}

/// What became of the writes that carry a key over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateOutcome {
    /// It is here.
    Applied,
    /// Its text leads to another key; nothing was written.
    TextTaken,
    /// Something else has changed since it was looked at; nothing was written.
    Conflict,
}

impl MigrationId {
    /// Names the migration a key belongs to: its organisation's, its owner's, of the day it was carried over.
    pub fn of(key: &ApiKey) -> Option<Self> {
        let day = Day::of(key.migrated_at?);
        Some(Self { org: key.org, owner: key.created_by.clone(), day })
    }
}
