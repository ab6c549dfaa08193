//! Ports for members and invitations.

use super::{Listed, PageAsk, PortFuture};
use crate::audit::AuditEntry;
use crate::events::Event;
use crate::idempotency::{IdempotentRequest, WriteOutcome};
use crate::invitations::Invitation;
use crate::members::{Removal, RoleStep, Stepped};
use crate::orgs::Member;
use crate::profiles::Sighting;
use crate::{InvitationId, OrgId, Timestamp};

/// An invitation to send. The invitation, its audit entry and its event are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewInvitation {
    /// The invitation to record.
    pub invitation: Invitation,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces it, without the address.
    pub event: Event,
    /// The request with its idempotency key, if there is one.
    pub idempotent: Option<IdempotentRequest>,
}

/// Sends an invitation, in one transaction. `dynamodb:GetItem`, `dynamodb:Query`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait CreateInvitation {
    /// Writes the invitation if the limits allow it. Never returns `Conflict`.
    ///
    /// # Errors
    /// Those of [`Invitation::admit`], and `RATE_LIMITED` if the sender has used up their invitations of the day. A
    /// retry of a request that succeeded gets `Replayed` instead.
    fn create_invitation(&self, new: &NewInvitation) -> impl PortFuture<WriteOutcome>;
}

/// Reads one invitation. `dynamodb:GetItem`.
pub trait GetInvitation {
    /// Returns the invitation, or `None` if the organisation has no such invitation. One that has ended is returned for
    /// as long as it is kept.
    fn get_invitation(&self, org: OrgId, id: InvitationId) -> impl PortFuture<Option<Invitation>>;
}

/// Lists an organisation's invitations. `dynamodb:Query`.
pub trait ListInvitations {
    /// Returns a page of open invitations, newest first.
    fn list_invitations(&self, org: OrgId, now: Timestamp, page: &PageAsk) -> impl PortFuture<Listed<Invitation>>;
}

/// Revokes an invitation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait RevokeInvitation {
    /// Revokes the invitation. Returns `false` if it is no longer open.
    fn revoke_invitation(&self, invitation: &Invitation, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// The acceptance of an invitation.
#[derive(Clone, Debug, PartialEq)]
pub struct Acceptance {
    /// The open invitation, as it was read.
    pub invitation: Invitation,
    /// The membership to create. Its person must not be the sender of the invitation.
    pub member: Member,
    /// The person's contact details from their token.
    pub seen: Option<Sighting>,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

/// The outcome of an acceptance. Only `Joined` means that something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The person is now a member.
    Joined,
    /// The invitation is no longer open.
    Conflict,
    /// The person is already a member.
    Member,
    /// The sender has lost the right to send this invitation, or the organisation is deleted.
    Withdrawn,
    /// The organisation is full.
    Full,
}

/// Accepts an invitation, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait AcceptInvitation {
    /// Makes the invited person a member, once.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if their account is closed.
    fn accept_invitation(&self, acceptance: &Acceptance) -> impl PortFuture<Accepted>;
}

/// Changes a member's role, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait ChangeRole {
    /// Applies the step, unless the organisation would have no owner left.
    fn change_role(&self, step: &RoleStep) -> impl PortFuture<Stepped>;
}

/// Ends a membership, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait RemoveMember {
    /// Applies the step, unless the organisation would have no owner left.
    fn remove_member(&self, removal: &Removal) -> impl PortFuture<Stepped>;
}
