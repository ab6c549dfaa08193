//! What is needed to know people, and to forget them.

use super::PortFuture;
use crate::audit::AuditEntry;
use crate::idempotency::WriteOutcome;
use crate::orgs::Member;
use crate::profiles::{Closing, Telling};
use crate::webhooks::Received;
use crate::{Timestamp, UserId};

/// Keeps what the issuer tells of a person, in one transaction with the memory of its webhook. `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`.
pub trait TellProfile {
    /// Keeps it; `Moved` when something newer is known, or the account is closed.
    fn tell_profile(&self, telling: &Telling, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Closes a person's account, in one transaction with the memory of its webhook: nothing personal is left but the mark that it
/// is closed, and what it owned is noted down to be ended. `dynamodb:PutItem`.
pub trait CloseAccount {
    /// Closes it; `Moved` when it is closed already.
    fn close_account(&self, closing: &Closing, received: &Received) -> impl PortFuture<WriteOutcome>;
}

/// Puts off what is left to do for a closed account. `dynamodb:UpdateItem`.
pub trait PostponeClosing {
    /// Lets it be due at another time; one that has ended stays so.
    fn postpone_closing(&self, closing: &Closing, until: Timestamp) -> impl PortFuture<()>;
}

/// Strikes off a closed account for which nothing is left to do. `dynamodb:DeleteItem`.
pub trait EndClosing {
    /// Removes the note; one that is gone already is removed.
    fn end_closing(&self, user: &UserId) -> impl PortFuture<()>;
}

/// Who answers for an organisation once a member is gone.
#[derive(Clone, Debug, PartialEq)]
pub enum Succession {
    /// The same as before: the member is no owner.
    Unchanged,
    /// This other owner, who must still be one.
    Owner(UserId),
    /// Nobody: it is suspended, with this entry in its trail.
    Nobody(Box<AuditEntry>),
}

/// A member who goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Departure {
    /// Their place, as it was read.
    pub member: Member,
    /// Who answers for the organisation then.
    pub succession: Succession,
    /// Entry of its audit trail.
    pub audit: AuditEntry,
}

/// Takes a person's place in an organisation away, in one transaction. `dynamodb:DeleteItem`, `dynamodb:PutItem`,
/// `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait EndMembership {
    /// Takes it away; `false`, and nothing has changed, when member or owner are no longer what they were.
    fn end_membership(&self, departure: &Departure) -> impl PortFuture<bool>;
}
