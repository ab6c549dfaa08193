//! Writes to people about what happened to them: a letter an event and recipient, in their language.
//!
//! Events come at least once, and the mail service cannot be asked what it has taken. So each mail is claimed, sent and marked:
//! a second delivery finds it marked, or in hand. A claim whose holder died runs out, and the mail is sent again; it may then
//! arrive twice, which is counted and said.

mod mail_event;

use std::collections::BTreeMap;

use consigne_auth::{InvitationTokens, UnsubscribeSeal};
use consigne_core::mail::{Address, Claim, Claimed, Handover, Mail, MailClaim, MailEnd, Topic};
use consigne_core::ports::{
    ClaimMail, GetInvitation, GetMember, GetOrg, GetProfile, ListMembers, MarkMail, ReleaseMail, SendMail, SendMessage,
};
use consigne_core::{EventId, Fault, UserId};
use consigne_messaging::mail::{MailTemplate, MailTheme, Reader};
use consigne_runtime::queue::Message;

use crate::mail_event::{MailEvent, Recipient};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, M, Q> {
    /// People, organisations and mails.
    pub table: F,
    /// The mail service; none where no mails are sent.
    pub mailer: Option<M>,
    /// What letters have in common.
    pub theme: MailTheme,
    /// Where the API is reached.
    pub public_url: String,
    /// Seals links to unsubscribe.
    pub seal: UnsubscribeSeal,
    /// Makes the tokens of invitations.
    pub invitations: InvitationTokens,
    /// Takes what can never be processed.
    pub dead_letters: Q,
}

/// Processes one message.
///
/// # Errors
/// When a mail could not be sent now; the message comes back for the recipients that are left.
pub async fn handle<F, M, Q>(deps: &Deps<F, M, Q>, message: &Message) -> Result<(), Fault>
where
    F: GetOrg + GetProfile + GetMember + ListMembers + GetInvitation + ClaimMail + MarkMail + ReleaseMail,
    M: SendMail,
    Q: SendMessage,
{
    let occasion = match MailEvent::parse(&message.body) {
        Ok(occasion) => occasion,
        Err(problem) => {
            message.log.field("message.malformed", problem);
            message.log.count("MailsParked");
            return deps.dead_letters.send_message(&message.body).await;
        }
    };
    let event = occasion.event;
    message.log.field("event.id", event);
    message.log.field("event.kind", &occasion.kind);
    let (mut outcomes, mut left) = (BTreeMap::new(), None);
    for (to, template) in occasion.mails(&deps.table, &deps.invitations, message.now).await? {
        message.log.field("mail.template", template.name());
        let outcome = deliver(deps, event, &to, &*template, message).await;
        let word = outcome.as_ref().map_or("left", |outcome| *outcome);
        // An address is nobody's business but the mail's.
        let name = match &to {
            Recipient::Person(user) => user.to_string(),
            Recipient::Invited(..) => "invited".to_owned(),
        };
        outcomes.insert(name, word);
        // One recipient's trouble keeps no other's mail.
        left = outcome.err().or(left);
    }
    message.log.field("mail.outcomes", outcomes);
    left.map_or(Ok(()), Err)
}

/// Sends one letter to one person, unless that was done, cannot be, or is not wanted; says in a word what became of it.
async fn deliver<F, M, Q>(
    deps: &Deps<F, M, Q>,
    event: EventId,
    to: &Recipient,
    template: &dyn MailTemplate,
    message: &Message,
) -> Result<&'static str, Fault>
where
    F: GetProfile + ClaimMail + MarkMail + ReleaseMail,
    M: SendMail,
{
    let Some(mailer) = &deps.mailer else { return Ok("skipped") };
    let (address, name, language) = match to {
        Recipient::Person(user) => {
            let profile = deps.table.get_profile(user).await?;
            let Some(contact) = profile.contact() else { return Ok(unaddressed("no address", message)) };
            if !contact.verified {
                // It may be a stranger's.
                return Ok(unaddressed("unverified address", message));
            }
            (Address::parse(&contact.email), contact.name.clone(), contact.language)
        }
        Recipient::Invited(email, language) => (Address::parse(email.as_str()), None, *language),
    };
    let Some(address) = address else { return Ok(unaddressed("unusable address", message)) };
    let (mail, mailbox) = (to.mail(event), address.mailbox());
    let wanted_by = to.person().cloned().zip(template.topic());
    let link = |(user, topic): &(UserId, Topic)| {
        format!("{}/api/mail/unsubscribe?token={}", deps.public_url, deps.seal.token(user, *topic))
    };
    let reader = Reader { address, name, language, unsubscribe: wanted_by.as_ref().map(link) };
    let template = deps.theme.write(template, reader, message.now)?;

    match deps.table.claim_mail(&MailClaim { mail, mailbox, wanted_by, now: message.now }).await? {
        Claimed::Ours(claim) => send(&deps.table, mailer, &claim, &template, message).await,
        Claimed::Done => Ok("done before"),
        Claimed::Suppressed => Ok("suppressed"),
        Claimed::Unsubscribed => Ok("unsubscribed"),
        Claimed::InHand => Err(Fault::unavailable("the mail is in hand elsewhere, or was left behind there")),
    }
}

/// Counts a letter that nobody can be sent, and gives why.
fn unaddressed(why: &'static str, message: &Message) -> &'static str {
    message.log.count("MailsUnaddressed");
    why
}

/// Sends a mail that is ours to send, and remembers it.
async fn send<F, M>(
    table: &F,
    mailer: &M,
    claim: &Claim,
    template: &Mail,
    message: &Message,
) -> Result<&'static str, Fault>
where
    F: MarkMail + ReleaseMail,
    M: SendMail,
{
    if claim.again {
        message.log.count("MailsPerhapsTwice");
    }
    // Without an answer nobody knows whether it was taken: the claim stays, and runs out.
    match mailer.send_mail(template).await? {
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
