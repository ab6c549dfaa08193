//! What organisations' members and invitations need of the outside world.

use super::{Listed, PageAsk, PortFuture};
use crate::audit::AuditEntry;
use crate::events::Event;
use crate::idempotency::{IdempotentRequest, WriteOutcome};
use crate::invitations::Invitation;
use crate::members::{Removal, RoleStep, Stepped};
use crate::orgs::Member;
use crate::profiles::Sighting;
use crate::{InvitationId, OrgId, Timestamp};

/// An invitation to be: with audit entry and event, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInvitation {
    /// The invitation.
    pub invitation: Invitation,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// What the world is told; no address is part of it.
    pub event: Event,
    /// The caller's promise, if any.
    pub idempotent: Option<IdempotentRequest>,
}

/// Sends an invitation, in one transaction. `dynamodb:GetItem`, `dynamodb:Query`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait CreateInvitation {
    /// Writes it if it may go out beside those of the last days; never answers `Moved`.
    ///
    /// # Errors
    /// As [`Invitation::admit`], of a request that was not made before; and `RATE_LIMITED` to a person who has sent as many
    /// today, into whichever organisations.
    fn create_invitation(&self, new: &NewInvitation) -> impl PortFuture<WriteOutcome>;
}

/// Reads one invitation. `dynamodb:GetItem`.
pub trait GetInvitation {
    /// Gives the invitation, ended ones included for a time; `None` when the organisation has no such one.
    fn get_invitation(&self, org: OrgId, id: InvitationId) -> impl PortFuture<Option<Invitation>>;
}

/// Lists an organisation's invitations. `dynamodb:Query`.
pub trait ListInvitations {
    /// Gives a page of those that are open, newest first.
    fn list_invitations(&self, org: OrgId, now: Timestamp, page: &PageAsk) -> impl PortFuture<Listed<Invitation>>;
}

/// Takes an invitation back, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait RevokeInvitation {
    /// Marks it; `false` when it is not open any more.
    fn revoke_invitation(&self, invitation: &Invitation, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Somebody who takes an invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Acceptance {
    /// The invitation as it was read: open.
    pub invitation: Invitation,
    /// The place it leads to, of somebody else than who sent it.
    pub member: Member,
    /// How to reach them, as their token says.
    pub seen: Option<Sighting>,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
}

/// What became of an acceptance. Only `Joined` has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// They are a member.
    Joined,
    /// The invitation is not open any more.
    Conflict,
    /// They have a place already, by other means.
    Member,
    /// Who sent it could not send it any more.
    Withdrawn,
    /// There are as many members as there may be.
    Full,
}

/// Accepts an invitation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait AcceptInvitation {
    /// Makes the guest a member, once.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` when their account is closed.
    fn accept_invitation(&self, acceptance: &Acceptance) -> impl PortFuture<Accepted>;
}

/// Gives a member another role, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait ChangeRole {
    /// Makes the step, unless the organisation would be left without an owner.
    fn change_role(&self, step: &RoleStep) -> impl PortFuture<Stepped>;
}

/// Ends a membership, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem`.
pub trait RemoveMember {
    /// Makes the step, unless the organisation would be left without an owner.
    fn remove_member(&self, removal: &Removal) -> impl PortFuture<Stepped>;
}
