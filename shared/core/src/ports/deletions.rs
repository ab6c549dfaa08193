//! Ports for deleting organisations.

use super::PortFuture;
use crate::deletions::{DeletionAsk, DeletionOutcome, OrgDeletion};
use crate::events::Event;
use crate::idempotency::CommitOutcome;
use crate::orgs::Member;
use crate::{OrgId, Timestamp};

/// Deletes an organisation, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait DeleteOrg {
    /// Marks the organisation as deleted, closes its wallet for good, counts it no longer as its founder's, and records
    /// what is still to be ended. From then on it is not found, none of its keys can spend, and no walk visits it.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the account of the person who deletes it is closed. `INTERNAL` if a function asks by itself.
    fn delete_org(&self, ask: &DeletionAsk) -> impl PortFuture<DeletionOutcome>;
}

/// Ends a membership in a deleted organisation, in one transaction. `dynamodb:DeleteItem`, `dynamodb:PutItem`.
pub trait DismissMember {
    /// Ends the membership and writes the event that tells the member. Returns `Conflict` if it has ended before.
    fn dismiss_member(&self, member: &Member, event: &Event) -> impl PortFuture<CommitOutcome>;
}

/// Postpones the work on a deleted organisation. `dynamodb:UpdateItem`.
pub trait PostponeDeletion {
    /// Changes when it is due. Does nothing if the deletion has ended.
    fn postpone_deletion(&self, deletion: &OrgDeletion, until: Timestamp) -> impl PortFuture<()>;
}

/// Ends a deletion for which nothing is left to do. `dynamodb:DeleteItem`.
pub trait EndDeletion {
    /// Deletes the record of the deletion. Succeeds if it does not exist.
    fn end_deletion(&self, org: OrgId) -> impl PortFuture<()>;
}
