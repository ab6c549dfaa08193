//! Deleting an organisation: one transaction ends it, and a record says what is still to be ended.

use std::time::Duration;

use serde_json::json;

use crate::audit::{Actor, AuditAction, AuditEntry, Origin};
use crate::credits::Wallet;
use crate::events::{Event, EventData, OrganisationDeleted};
use crate::orgs::Member;
use crate::{Fault, OrgId, Timestamp, UserId};

/// How long after the deletion `account-close` looks once more for what requests in flight have added. Longer than any
/// invocation of a function.
const LAST_LOOK: Duration = Duration::from_mins(15);

/// A request to delete an organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct DeletionAsk {
    /// The organisation to delete.
    pub org: OrgId,
    /// Its name.
    pub name: String,
    /// Who asks, and from which address.
    pub origin: Origin,
    /// An operator's reason, for the audit log.
    pub reason: Option<String>,
    /// The time of the request.
    pub now: Timestamp,
}

impl DeletionAsk {
    /// Returns who must own the organisation to delete it. `None` for an operator, who is no member of any.
    pub fn owner(&self) -> Result<Option<&UserId>, Fault> {
        match &self.origin.actor {
            Actor::User(user) => Ok(Some(user)),
            Actor::Operator(_) => Ok(None),
            Actor::Service(name) => Err(Fault::internal(format!("{name} must not delete organisations"))),
        }
    }

    /// Builds the record of the deletion. `wallet` is the organisation's, whose credits are lost.
    pub fn deletion(&self, wallet: &Wallet) -> OrgDeletion {
        OrgDeletion {
            org: self.org,
            name: self.name.clone(),
            actor: self.origin.actor.clone(),
            // Below zero after a claw-back: then nothing is lost.
            credits_lost: u64::try_from(wallet.balance).unwrap_or(0),
            deleted_at: self.now,
            due_at: self.now,
        }
    }

    /// Builds the entry of the audit log.
    pub fn audit(&self, deletion: &OrgDeletion) -> AuditEntry {
        let mut details = json!({ "name": deletion.name, "credits_lost": deletion.credits_lost });
        if let Some(reason) = &self.reason {
            details["reason"] = json!(reason);
        }
        AuditEntry::new(self.org, AuditAction::OrgDeleted, self.org.to_string(), &self.origin, self.now, details)
    }
}

/// The outcome of a request to delete an organisation. Only `Deleted` means that something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeletionOutcome {
    /// It is deleted. What it had is still to be ended.
    Deleted(OrgDeletion),
    /// Credits are reserved by open holds.
    HoldsOpen,
    /// There is no such organisation, or the caller no longer owns it.
    NotFound,
}

/// A deleted organisation whose memberships, keys, endpoints and invitations are still to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgDeletion {
    /// Id of the organisation.
    pub org: OrgId,
    /// The name it had.
    pub name: String,
    /// Who deleted it.
    pub actor: Actor,
    /// Credits that were lost.
    pub credits_lost: u64,
    /// When it was deleted.
    pub deleted_at: Timestamp,
    /// When `account-close` is to work on it.
    pub due_at: Timestamp,
}

impl OrgDeletion {
    /// Returns when to look a last time. Requests that began before the deletion have ended by then.
    pub fn last_look(&self) -> Timestamp {
        self.deleted_at.plus(LAST_LOOK)
    }

    /// Builds the event that tells a member.
    pub fn event(&self, member: &Member, now: Timestamp) -> Event {
        let data = OrganisationDeleted {
            org_id: self.org,
            org_name: self.name.clone(),
            user_id: member.user.clone(),
            actor: self.actor.clone(),
            credits_lost: self.credits_lost,
        };
        Event::new(now, EventData::OrganisationDeleted(data))
    }
}
