//! Fakes for mail: claims, mailboxes, and a mail service that can refuse or throttle.

use std::collections::BTreeMap;

use consigne_core::mail::{
    Claim, Claimed, GATHERED_AN_HOUR, Gathering, Handover, LEASE, Mail, MailClaim, MailCount, MailEnd, MailId, Mailbox,
    Suppression, Topic,
};
use consigne_core::ports::{ClaimMail, MarkMail, ReleaseMail, SendMail, SuppressMailbox, Unsubscribe};
use consigne_core::{Fault, Timestamp, UserId};

use super::World;

/// Mails, and the mailboxes and topics to which none are sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MailFakes {
    /// Mails by id.
    pub mails: BTreeMap<MailId, MailState>,
    /// Number of gathered mails that were claimed, by mailbox.
    pub gathered: BTreeMap<(MailCount, Mailbox), u32>,
    /// Mailboxes to which no mails are sent.
    pub suppressed: BTreeMap<Mailbox, Suppression>,
    /// People who have unsubscribed from a topic, and when.
    pub unsubscribed: BTreeMap<(UserId, Topic), Timestamp>,
    /// Mails that the service has accepted, in order.
    pub sent: Vec<Mail>,
    /// How the service answers.
    pub service: MailService,
}

/// State of a mail.
#[derive(Clone, Debug, PartialEq)]
pub enum MailState {
    /// A function has claimed it, at this time.
    Claimed(Timestamp, Gathering),
    /// It is counted, and may be claimed again.
    Released(Gathering),
    /// It was sent or given up.
    Ended(MailEnd),
}

/// How the mail service answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailService {
    /// It accepts the mail.
    #[default]
    Works,
    /// It is throttled.
    Throttles,
    /// It refuses the mail for good.
    Refuses,
}

impl ClaimMail for World {
    async fn claim_mail(&self, ask: &MailClaim) -> Result<Claimed, Fault> {
        self.effect(|state| {
            let post = &mut state.mail;
            let (again, before) = match post.mails.get(&ask.mail) {
                None => (false, None),
                Some(MailState::Ended(_)) => return Claimed::Done,
                Some(MailState::Claimed(since, _)) if ask.now.since(*since) < LEASE => return Claimed::InHand,
                Some(MailState::Claimed(_, gathering)) => (true, Some(*gathering)),
                Some(MailState::Released(gathering)) => (false, Some(*gathering)),
            };
            if post.suppressed.contains_key(&ask.mailbox) {
                return Claimed::Suppressed;
            }
            if ask.wanted_by.as_ref().is_some_and(|topic| post.unsubscribed.contains_key(topic)) {
                return Claimed::Unsubscribed;
            }
            let gathering = match (before, &ask.counted_in) {
                (Some(before), _) => before,
                (None, None) => Gathering::None,
                (None, Some(count)) => {
                    let sent = post.gathered.entry((count.clone(), ask.mailbox.clone())).or_default();
                    if *sent >= GATHERED_AN_HOUR {
                        return Claimed::Gathered;
                    }
                    *sent += 1;
                    if *sent == GATHERED_AN_HOUR { Gathering::Last } else { Gathering::Counted }
                }
            };
            post.mails.insert(ask.mail.clone(), MailState::Claimed(ask.now, gathering));
            Claimed::Ours(Claim { mail: ask.mail.clone(), at: ask.now, again, gathering })
        })
    }
}

impl ReleaseMail for World {
    async fn release_mail(&self, claim: &Claim) -> Result<(), Fault> {
        self.effect(|state| {
            if state.mail.mails.get(&claim.mail) != Some(&MailState::Claimed(claim.at, claim.gathering)) {
                return;
            }
            if claim.gathering == Gathering::None {
                state.mail.mails.remove(&claim.mail);
            } else {
                state.mail.mails.insert(claim.mail.clone(), MailState::Released(claim.gathering));
            }
        })
    }
}

impl MarkMail for World {
    async fn mark_mail(&self, claim: &Claim, end: &MailEnd, _: Timestamp) -> Result<(), Fault> {
        self.effect(|state| drop(state.mail.mails.insert(claim.mail.clone(), MailState::Ended(end.clone()))))
    }
}

impl SuppressMailbox for World {
    async fn suppress_mailbox(&self, mailbox: &Mailbox, why: Suppression, _: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            state.mail.suppressed.insert(mailbox.clone(), why);
        })
    }
}

impl Unsubscribe for World {
    async fn unsubscribe(&self, user: &UserId, topic: Topic, now: Timestamp) -> Result<(), Fault> {
        self.effect(|state| {
            state.mail.unsubscribed.insert((user.clone(), topic), now);
        })
    }
}

impl SendMail for World {
    async fn send_mail(&self, mail: &Mail) -> Result<Handover, Fault> {
        self.effect(|state| match state.mail.service {
            MailService::Works => {
                state.mail.sent.push(mail.clone());
                Handover::Accepted(format!("mail-{}", state.mail.sent.len()))
            }
            MailService::Throttles => Handover::NotNow(Fault::unavailable("planned: too many mails")),
            MailService::Refuses => Handover::Refused("planned: not this mail".to_owned()),
        })
    }
}
