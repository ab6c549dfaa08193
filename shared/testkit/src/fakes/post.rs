//! Mail in memory: claims, mailboxes, and a mail service with moods.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::mail::{
    Claim, Claimed, Handover, LEASE, Mail, MailClaim, MailEnd, MailId, Mailbox, Suppression, Topic,
};
use consigne_core::ports::{ClaimMail, MarkMail, ReleaseMail, SendMail, SuppressMailbox, Unsubscribe};
use consigne_core::{Fault, Timestamp, UserId};

use super::World;

/// Mails, and what keeps them from being sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Post {
    /// Mails by id.
    pub mails: BTreeMap<MailId, MailState>,
    /// Mailboxes that get none.
    pub suppressed: BTreeMap<Mailbox, Suppression>,
    /// Who wants none of which topic.
    pub unsubscribed: BTreeSet<(UserId, Topic)>,
    /// Mails the service has taken, in order.
    pub sent: Vec<Mail>,
    /// What the service does.
    pub service: MailService,
}

/// Where a mail stands.
#[derive(Clone, Debug, PartialEq)]
pub enum MailState {
    /// Somebody is at it, since then.
    Claimed(Timestamp),
    /// It has ended.
    Ended(MailEnd),
}

/// What the mail service does with a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailService {
    /// Takes it.
    #[default]
    Works,
    /// Says that it is too much.
    Throttles,
    /// Says that it will never take it.
    Refuses,
}

impl ClaimMail for World {
    async fn claim_mail(&self, ask: &MailClaim) -> Result<Claimed, Fault> {
        self.effect(|state| {
            let post = &mut state.post;
            let again = match post.mails.get(&ask.mail) {
                None => false,
                Some(MailState::Ended(_)) => return Claimed::Done,
                Some(MailState::Claimed(since)) if ask.now.since(*since) < LEASE => return Claimed::InHand,
                Some(MailState::Claimed(_)) => true,
            };
            if post.suppressed.contains_key(&ask.mailbox) {
                return Claimed::Suppressed;
            }
            if ask.wanted_by.as_ref().is_some_and(|wish| post.unsubscribed.contains(wish)) {
                return Claimed::Unsubscribed;
            }
            post.mails.insert(ask.mail.clone(), MailState::Claimed(ask.now));
            Claimed::Ours(Claim { mail: ask.mail.clone(), at: ask.now, again })
        })
    }
}

impl ReleaseMail for World {
    async fn release_mail(&self, claim: &Claim) -> Result<(), Fault> {
        self.effect(|state| {
            if state.post.mails.get(&claim.mail) == Some(&MailState::Claimed(claim.at)) {
                state.post.mails.remove(&claim.mail);
            }
        })
    }
}

impl MarkMail for World {
    async fn mark_mail(&self, claim: &Claim, end: &MailEnd, _: Timestamp) -> Result<(), Fault> {
        self.effect(|state| drop(state.post.mails.insert(claim.mail.clone(), MailState::Ended(end.clone()))))
    }
}

impl SuppressMailbox for World {
    async fn suppress_mailbox(&self, mailbox: &Mailbox, why: Suppression, _: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            state.post.suppressed.insert(mailbox.clone(), why);
        })
    }
}

impl Unsubscribe for World {
    async fn unsubscribe(&self, user: &UserId, topic: Topic, _: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            state.post.unsubscribed.insert((user.clone(), topic));
        })
    }
}

impl SendMail for World {
    async fn send_mail(&self, mail: &Mail) -> Result<Handover, Fault> {
        self.effect(|state| match state.post.service {
            MailService::Works => {
                state.post.sent.push(mail.clone());
                Handover::Accepted(format!("mail-{}", state.post.sent.len()))
            }
            MailService::Throttles => Handover::NotNow(Fault::unavailable("planned: too many mails")),
            MailService::Refuses => Handover::Refused("planned: not this mail".to_owned()),
        })
    }
}
