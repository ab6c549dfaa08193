//! Ports for mails: claims, suppressed mailboxes, unsubscribing and sending.

use super::PortFuture;
use crate::mail::{Claim, Claimed, Handover, Mail, MailClaim, MailEnd, Mailbox, Suppression, Topic};
use crate::{Timestamp, UserId};

/// Claims a mail, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:ConditionCheckItem`.
pub trait ClaimMail {
    /// Grants the mail to one caller at a time. A claim that is older than its lease can be taken over. A mail of a
    /// gathered kind is counted once, however often it is claimed.
    fn claim_mail(&self, claim: &MailClaim) -> impl PortFuture<Claimed>;
}

/// Releases a claim. `dynamodb:DeleteItem`, and `dynamodb:UpdateItem` for a mail that is counted and stays so.
pub trait ReleaseMail {
    /// Makes the mail claimable again at once. A claim that another worker has taken over stays.
    fn release_mail(&self, claim: &Claim) -> impl PortFuture<()>;
}

/// Records how a mail ended. `dynamodb:UpdateItem`.
pub trait MarkMail {
    /// Writes the end, so that nobody claims the mail again.
    fn mark_mail(&self, claim: &Claim, end: &MailEnd, now: Timestamp) -> impl PortFuture<()>;
}

/// Suppresses a mailbox. `dynamodb:PutItem`.
pub trait SuppressMailbox {
    /// Suppresses the mailbox for good.
    fn suppress_mailbox(&self, mailbox: &Mailbox, why: Suppression, now: Timestamp) -> impl PortFuture<()>;
}

/// Records that a person has unsubscribed. `dynamodb:PutItem`.
pub trait Unsubscribe {
    /// Stops mails of the topic to the person.
    fn unsubscribe(&self, user: &UserId, topic: Topic, now: Timestamp) -> impl PortFuture<()>;
}

/// Sends a mail. `ses:SendRawEmail`.
pub trait SendMail {
    /// Sends the mail once, without retries.
    ///
    /// # Errors
    /// `UNAVAILABLE` if no answer came. The mail may have been accepted.
    fn send_mail(&self, mail: &Mail) -> impl PortFuture<Handover>;
}
