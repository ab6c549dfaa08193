//! Sends mails about events: one mail per event and recipient, in the recipient's language.
//!
//! Events come at least once, and the mail service cannot be asked whether it has accepted a mail. So each mail is
//! claimed, sent and marked as sent, and a second delivery of the event finds the mark or the claim. If the function is
//! killed between claim and mark, the claim expires and the mail is sent again. It may then arrive twice, which is counted
//! (`MailsPerhapsTwice`).
//!
//! Mails about new keys are gathered: ten an hour go to one person from one organisation, and the tenth says that no more
//! come in that hour. All other mails are sent.

mod mail_event;

use std::collections::BTreeMap;

use consigne_auth::{InvitationTokens, UnsubscribeSeal};
use consigne_core::mail::{Address, Claim, Claimed, Gathering, Handover, Mail, MailClaim, MailCount, MailEnd, Topic};
use consigne_core::ports::{
    ClaimMail, GetInvitation, GetMember, GetOrder, GetOrg, GetProfile, ListMembers, MarkMail, ReleaseMail, SendMail,
    SendMessage,
};
use consigne_core::profiles::Language;
use consigne_core::{EmailAddress, EventId, Fault, Timestamp, UserId};
use consigne_messaging::mail::{LastOfHour, MailTemplate, MailTheme, Reader};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, needs, settings};

use crate::mail_event::{MailEvent, Recipient};

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetOrg + GetProfile + GetMember + ListMembers + GetInvitation + GetOrder + ClaimMail + MarkMail
            + ReleaseMail,
        Mailer: SendMail,
        Queue: SendMessage,
    >
}

function! {
    /// Profiles, organisations and claims of mails.
    table: A::Table = table(),
    /// The mail service; `None` if the installation sends no mails.
    mailer: Option<A::Mailer> = mailer(),
    /// What all mails have in common, such as the sender and the application's URL.
    theme: MailTheme = theme(),
    /// URL of the API, for links to unsubscribe.
    public_url: String = public_url(),
    /// Seals the tokens in links to unsubscribe.
    seal: UnsubscribeSeal = unsubscribe_seal().await,
    /// Derives the tokens of invitations.
    invitations: InvitationTokens = invitation_tokens().await,
    /// Where mails about new orders go; `None` if nobody gets them.
    orders_email: Option<EmailAddress> = orders_email(),
    /// Takes messages that can never be processed.
    dead_letters: A::Queue = queue(&settings::PARKING_QUEUE_URL),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Processes one message: sends the mails that its event leads to.
    ///
    /// # Errors
    /// If a mail cannot be sent now. The message is then delivered again, for the recipients who have not got their mail.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let mail_event = match MailEvent::parse(&message.body) {
            Ok(mail_event) => mail_event,
            Err(problem) => {
                message.log.field("message.malformed", problem);
                message.log.count("MailsParked");
                return self.dead_letters.send_message(&message.body).await;
            }
        };
        let (event, occurred_at) = (mail_event.event, mail_event.occurred_at);
        message.log.field("event.id", event);
        message.log.field("event.kind", &mail_event.kind);
        let (mut outcomes, mut left) = (BTreeMap::new(), None);
        for (to, template) in
            mail_event.mails(&self.table, &self.invitations, self.orders_email.as_ref(), message.now).await?
        {
            message.log.field("mail.template", template.name());
            let outcome = self.deliver((event, occurred_at), &to, &*template, message).await;
            let word = outcome.as_ref().map_or("left", |outcome| *outcome);
            // Log user ids only, never an e-mail address.
            let name = match &to {
                Recipient::Person(user) => user.to_string(),
                Recipient::Invited(..) => "invited".to_owned(),
                Recipient::Customer(..) => "customer".to_owned(),
                Recipient::Desk(_) => "orders".to_owned(),
            };
            outcomes.insert(name, word);
            // A failure for one recipient does not stop the mails to the others.
            left = outcome.err().or(left);
        }
        message.log.field("mail.outcomes", outcomes);
        left.map_or(Ok(()), Err)
    }
}

impl<A: Needs> Function<A> {
    /// Sends one mail to one recipient, unless it was sent before, cannot be sent, or is not wanted. Returns the
    /// outcome as a word for the log.
    async fn deliver(
        &self,
        (event, occurred_at): (EventId, Timestamp),
        to: &Recipient,
        template: &dyn MailTemplate,
        message: &Message,
    ) -> Result<&'static str, Fault> {
        let Some(mailer) = &self.mailer else { return Ok("skipped") };
        let (address, name, language) = match to {
            Recipient::Person(user) => {
                let profile = self.table.get_profile(user).await?;
                let Some(contact) = profile.contact() else { return Ok(unaddressed("no address", message)) };
                if !contact.verified {
                    // An unverified address may belong to somebody else.
                    return Ok(unaddressed("unverified address", message));
                }
                (Address::of_person(&contact.email), contact.name.clone(), contact.language)
            }
            Recipient::Invited(email, language) | Recipient::Customer(email, language) => {
                (Address::parse(email.as_str()), None, *language)
            }
            Recipient::Desk(email) => (Address::parse(email.as_str()), None, Language::default()),
        };
        let Some(address) = address else { return Ok(unaddressed("unusable address", message)) };
        let (mail, mailbox) = (to.mail(event), address.mailbox());
        let wanted_by = to.person().cloned().zip(template.topic());
        let link = |(user, topic): &(UserId, Topic)| {
            format!("{}/api/mail/unsubscribe?token={}", self.public_url, self.seal.token(user, *topic))
        };
        let reader = Reader { address, name, language, unsubscribe: wanted_by.as_ref().map(link) };
        let counted_in = template.gathered().map(|org| MailCount::of(org, template.name(), occurred_at));
        let last = match &counted_in {
            Some(_) => Some(self.theme.write(&LastOfHour(template), reader.clone(), message.now)?),
            None => None,
        };
        let rendered = self.theme.write(template, reader, message.now)?;

        match self.table.claim_mail(&MailClaim { mail, mailbox, wanted_by, counted_in, now: message.now }).await? {
            Claimed::Ours(claim) => {
                let rendered = last.filter(|_| claim.gathering == Gathering::Last).unwrap_or(rendered);
                send(&self.table, mailer, &claim, &rendered, message).await
            }
            Claimed::Gathered => {
                message.log.count("MailsGathered");
                Ok("gathered")
            }
            Claimed::Done => Ok("done before"),
            Claimed::Suppressed => Ok("suppressed"),
            Claimed::Unsubscribed => Ok("unsubscribed"),
            Claimed::InHand => Err(Fault::unavailable("another message has claimed the mail")),
        }
    }
}

/// Counts a mail that has no usable address, and returns the reason.
fn unaddressed(why: &'static str, message: &Message) -> &'static str {
    message.log.count("MailsUnaddressed");
    why
}

/// Sends a mail that this message has claimed, and marks it as sent or refused.
async fn send<F, M>(
    table: &F,
    mailer: &M,
    claim: &Claim,
    rendered: &Mail,
    message: &Message,
) -> Result<&'static str, Fault>
where
    F: MarkMail + ReleaseMail,
    M: SendMail,
{
    if claim.again {
        message.log.count("MailsPerhapsTwice");
    }
    // Without an answer it is unknown whether the mail was accepted. The claim then stays until it expires.
    match mailer.send_mail(rendered).await? {
        Handover::Accepted(id) => {
            message.log.field("mail.ses_id", id);
            message.log.count("MailsSent");
            table.mark_mail(claim, &MailEnd::Sent, message.now).await?;
            Ok("sent")
        }
        Handover::Refused(why) => {
            message.log.field("mail.refused", &why);
            message.log.count("MailsRefused");
            table.mark_mail(claim, &MailEnd::Refused(why), message.now).await?;
            Ok("refused")
        }
        Handover::NotNow(fault) => {
            if let Err(stuck) = table.release_mail(claim).await {
                message.log.field("mail.claim_kept", stuck.chain());
            }
            Err(fault)
        }
    }
}
