//! Ports for people's profiles and closed accounts.

use super::PortFuture;
use crate::audit::AuditEntry;
use crate::idempotency::{CommitOutcome, WriteOutcome};
use crate::orgs::Member;
use crate::profiles::{Closing, Telling};
use crate::webhooks::Received;
use crate::{Timestamp, UserId};

/// Stores what a webhook of Clerk says about a person, in one transaction with the webhook's record.
/// `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait TellProfile {
    /// Stores it. Returns `Conflict` if something newer is stored, or if the account is closed.
    fn tell_profile(&self, telling: &Telling, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Closes a person's account, in one transaction with the webhook's record. Nothing personal is left but the mark that
/// it is closed, and a note of what is still to be ended. `dynamodb:PutItem`.
pub trait CloseAccount {
    /// Closes the account. Returns `Conflict` if it is closed already.
    fn close_account(&self, closing: &Closing, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// The closings that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueClosings {
    /// The closings, the longest overdue first.
    pub closings: Vec<Closing>,
    /// Partition keys of items that cannot be read. Only a person can repair them.
    pub unreadable: Vec<String>,
}

/// Finds closed accounts of which something is left to end. `dynamodb:Query`.
pub trait FindClosings {
    /// Returns every closing that was due by `now`.
    fn find_closings(&self, now: Timestamp) -> impl PortFuture<DueClosings>;
}

/// Postpones what is left to do for a closed account. `dynamodb:UpdateItem`.
pub trait PostponeClosing {
    /// Changes when it is due. A closing that has ended stays so.
    fn postpone_closing(&self, closing: &Closing, until: Timestamp) -> impl PortFuture<()>;
}

/// Ends the closing of an account for which nothing is left to do. `dynamodb:DeleteItem`.
pub trait EndClosing {
    /// Deletes the note. Succeeds if it does not exist.
    fn end_closing(&self, user: &UserId) -> impl PortFuture<()>;
}

/// Who owns an organisation after a member has left.
#[derive(Clone, Debug, PartialEq)]
pub enum Succession {
    /// The same owners as before, because the member is not an owner.
    Unchanged,
    /// This other owner, who must still be one.
    Owner(UserId),
    /// Nobody: it is suspended, with this audit entry.
    Nobody(Box<AuditEntry>),
}

/// The end of a membership because the member's account is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// The membership as it was read.
    pub member: Member,
    /// Who owns the organisation afterwards.
    pub succession: Succession,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

/// Ends a person's membership in an organisation, in one transaction. `dynamodb:DeleteItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait EndMembership {
    /// Ends the membership. A conflict means that member or owner have changed since they were read.
    fn end_membership(&self, departure: &Departure) -> impl PortFuture<CommitOutcome>;
}
