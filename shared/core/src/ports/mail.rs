//! What mails need of the outside world.

use super::PortFuture;
use crate::mail::{Claim, Claimed, Handover, Mail, MailClaim, MailEnd, Mailbox, Suppression, Topic};
use crate::{Timestamp, UserId};

/// Claims a mail, in one transaction. `dynamodb:PutItem`, `dynamodb:ConditionCheckItem`.
pub trait ClaimMail {
    /// Gives the mail to one asker at a time; a claim older than its lease may be taken over.
    fn claim_mail(&self, claim: &MailClaim) -> impl PortFuture<Claimed>;
}

/// Gives a claim back. `dynamodb:DeleteItem`.
pub trait ReleaseMail {
    /// Lets the mail be claimed again at once; a claim that was taken over is left alone.
    fn release_mail(&self, claim: &Claim) -> impl PortFuture<()>;
}

/// Remembers how a mail ended. `dynamodb:UpdateItem`.
pub trait MarkMail {
    /// Writes the end; nobody claims the mail again.
    fn mark_mail(&self, claim: &Claim, end: &MailEnd, now: Timestamp) -> impl PortFuture<()>;
}

/// Keeps mail from a mailbox. `dynamodb:PutItem`.
pub trait SuppressMailbox {
    /// Suppresses it, for good.
    fn suppress_mailbox(&self, mailbox: &Mailbox, why: Suppression, now: Timestamp) -> impl PortFuture<()>;
}

/// Remembers what a person wants to hear no more of. `dynamodb:PutItem`.
pub trait Unsubscribe {
    /// Sends them no more mails of the topic.
    fn unsubscribe(&self, user: &UserId, topic: Topic, now: Timestamp) -> impl PortFuture<()>;
}

/// Sends a mail. `ses:SendRawEmail`.
pub trait SendMail {
    /// Hands the mail over, once, without a try of its own.
    ///
    /// # Errors
    /// `UNAVAILABLE` when there was no answer: the mail may have been taken.
    fn send_mail(&self, mail: &Mail) -> impl PortFuture<Handover>;
}
