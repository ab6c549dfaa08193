//! Ports for people's profiles and closed accounts.

use super::PortFuture;
use crate::audit::AuditEntry;
use crate::deletions::OrgDeletion;
use crate::events::Event;
use crate::idempotency::{CommitOutcome, WriteOutcome};
use crate::orgs::Member;
use crate::profiles::{Closing, ContactUpdate};
use crate::webhooks::Received;
use crate::{Timestamp, UserId};

/// Stores the contact details that a webhook of Clerk reports, in one transaction with the webhook's record.
/// `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait UpdateContact {
    /// Stores the details. Returns `Conflict` if newer details are stored, or if the account is closed.
    fn update_contact(&self, update: &ContactUpdate, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Closes a person's account because Clerk deleted it, in one transaction with the webhook's record and the event
/// `account.closed`. All personal data of the profile is replaced by a mark that the account is closed, which the ledger
/// gets too, and a closing is recorded. `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait CloseAccount {
    /// Closes the account. Returns `Conflict` if it is already closed.
    fn close_account(&self, closing: &Closing, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Closes an account as [`CloseAccount`] does, because the person or an operator wants it. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait EraseAccount {
    /// Closes the account, in one transaction with the event and, if an operator does it, an audit entry.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is already closed.
    fn erase_account(&self, closing: &Closing, event: &Event, audit: Option<&AuditEntry>) -> impl PortFuture<()>;
}

/// What came of reopening an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// The person can sign in again, with nothing of what they had.
    Open,
    /// The account was not closed. Nothing changed.
    WasOpen,
    /// What the account owned is still being deleted. Nothing changed.
    StillClosing,
}

/// Lets a person in again whose account was closed. `dynamodb:DeleteItem`, `dynamodb:UpdateItem`, `dynamodb:PutItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait ReopenAccount {
    /// Removes the marks of a closed account and writes an audit entry, unless its closing has not ended.
    fn reopen_account(&self, user: &UserId, audit: &AuditEntry) -> impl PortFuture<Reopened>;
}

/// The closings and deletions that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueClosings {
    /// Closed accounts, the longest overdue first.
    pub closings: Vec<Closing>,
    /// Deleted organisations, the longest overdue first.
    pub deletions: Vec<OrgDeletion>,
    /// Partition keys of items that cannot be parsed. A person must repair them.
    pub unreadable: Vec<String>,
}

/// Finds closed accounts and deleted organisations of which something is left. `dynamodb:Query`.
pub trait FindClosings {
    /// Returns every closing and every deletion that is due by `now`.
    fn find_closings(&self, now: Timestamp) -> impl PortFuture<DueClosings>;
}

/// Postpones a closing. `dynamodb:UpdateItem`.
pub trait PostponeClosing {
    /// Changes when it is due. Does nothing if the closing has ended.
    fn postpone_closing(&self, closing: &Closing, until: Timestamp) -> impl PortFuture<()>;
}

/// Ends the closing of an account for which nothing is left to do. `dynamodb:DeleteItem`.
pub trait EndClosing {
    /// Deletes the closing. Succeeds if it does not exist.
    fn end_closing(&self, user: &UserId) -> impl PortFuture<()>;
}

/// The owner of an organisation after a member has left.
#[derive(Clone, Debug, PartialEq)]
pub enum Succession {
    /// The same owners as before, because the member is not an owner.
    Unchanged,
    /// This other owner. The transaction checks that they still are one.
    Owner(UserId),
    /// Nobody: it is suspended, with this audit entry.
    Nobody(Box<AuditEntry>),
}

/// The end of a membership because the member's account is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// The membership as it was read.
    pub member: Member,
    /// The owner of the organisation afterwards.
    pub succession: Succession,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

/// Ends a person's membership in an organisation, in one transaction. `dynamodb:DeleteItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait EndMembership {
    /// Ends the membership. Returns `Conflict` if the member or the remaining owner has changed since they were read.
    fn end_membership(&self, departure: &Departure) -> impl PortFuture<CommitOutcome>;
}
