//! Mails: their recipients, their topics, and the claims that deduplicate them. An event that is delivered more than
//! once still leads to one mail per recipient.

use std::fmt;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::email::ENCODED_WORD;
use crate::{EmailAddress, EventId, Fault, OrgId, Timestamp, UserId, text};

/// How long a claim of a mail lasts. It is longer than any invocation, so an older claim was left by an invocation that
/// failed.
pub const LEASE: Duration = Duration::from_mins(15);

/// Most mails of a gathered kind to one mailbox in an hour, from one organisation. The last of them says that no more
/// come in that hour.
pub const GATHERED_AN_HOUR: u32 = 10;
/// The span in which gathered mails are counted.
const HOUR: Duration = Duration::from_hours(1);

/// How long a sent mail is remembered: more than twice as long as a queue keeps a message.
pub const REMEMBERED: Duration = Duration::from_hours(24 * 30);

/// Longest address, in bytes. Source: RFC 3696, erratum 1690.
const ADDRESS_MAX: usize = 254;

/// An e-mail address that is safe to write into an envelope and a header. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Parses an ASCII address, which is all SES accepts. Returns `None` for anything else, for addresses that need quotes,
    /// and for those that mail software may decode as an encoded-word.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let fits = |part: &str, more: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !part.is_empty() && part.chars().all(plain) && !part.starts_with('.') && !part.ends_with('.')
        };
        let good = text.len() <= ADDRESS_MAX && fits(local, ".!#$%&'*+-/=?^_`{|}~") && fits(domain, ".-");
        (good && !text.contains("..") && !local.contains(ENCODED_WORD)).then(|| Self(text.to_owned()))
    }

    /// Parses an address that a person gave, whose domain may be international.
    pub fn of_person(text: &str) -> Option<Self> {
        Self::parse(text).or_else(|| Self::parse(EmailAddress::parse(text)?.as_str()))
    }

    /// Returns the address as text. It must not be logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the mailbox, under which bounces and complaints are recorded.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox(hash(&self.0.to_ascii_lowercase()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// A mailbox, as the hash of its address in lower case, so that the list of suppressed mailboxes contains no addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mailbox(String);

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hash(text: &str) -> String {
    let nibbles = Sha256::digest(text).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
}

/// The sender of mails, as in the setting: `Consigne <no-reply@example.com>`, or an address alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Name of the sender.
    pub name: Option<String>,
    /// Address of the sender.
    pub address: Address,
}

impl Sender {
    /// Parses a sender. Returns `None` if the text is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((name, address)) = text.trim().strip_suffix('>').and_then(|rest| rest.split_once('<')) else {
            return Some(Self { name: None, address: Address::parse(text.trim())? });
        };
        let name = name.trim();
        let shown = !text::has_unfit(name) && !name.contains(['<', '>', '"']);
        let name = (!name.is_empty()).then(|| name.to_owned());
        shown.then_some(Self { name, address: Address::parse(address)? })
    }
}

/// A topic from which people can unsubscribe. Mails about keys, invitations and money have no topic and are always
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Generation jobs that are done.
    Jobs,
    /// Credits and quotas that run low.
    Limits,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 2] = [Self::Jobs, Self::Limits];

    /// Returns the topic's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Limits => "limits",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// Id of a mail: of one event to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailId {
    event: EventId,
    recipient: String,
}

impl MailId {
    /// Returns the id of the mail about an event to a recipient. `recipient` is a user id or an address.
    pub fn new(event: EventId, recipient: &str) -> Self {
        Self { event, recipient: hash(recipient) }
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.event, self.recipient)
    }
}

/// A request to claim a mail, so that nobody else sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailClaim {
    /// Id of the mail to claim.
    pub mail: MailId,
    /// The recipient's mailbox. A suppressed mailbox gets no mail.
    pub mailbox: Mailbox,
    /// The person and topic, for mails from which one can unsubscribe. People who have unsubscribed do not get the
    /// mail.
    pub wanted_by: Option<(UserId, Topic)>,
    /// The count of the mail, if it is of a gathered kind.
    pub counted_in: Option<MailCount>,
    /// The time of the request.
    pub now: Timestamp,
}

/// The count of gathered mails from one organisation in one hour. Each mailbox has its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailCount {
    /// The organisation that the mails are about.
    pub org: OrgId,
    /// Name of the mails' template.
    pub template: &'static str,
    /// The hour in which their events happened. Not that of the request: a repeated event is in the same hour.
    pub hour: Timestamp,
}

impl MailCount {
    /// Returns the count of the mail about an event.
    pub fn of(org: OrgId, template: &'static str, occurred_at: Timestamp) -> Self {
        Self { org, template, hour: occurred_at.floor(HOUR) }
    }
}

/// Whether a claimed mail is one of a gathered kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathering {
    /// It is not: all mails of its kind are sent.
    None,
    /// It is, and more may be sent.
    Counted,
    /// It is the last one of its hour, and must say so.
    Last,
}

/// A granted claim, which expires after [`LEASE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Id of the claimed mail.
    pub mail: MailId,
    /// When it was claimed. This also distinguishes it from other claims of the mail.
    pub at: Timestamp,
    /// Whether an earlier claim expired. If so, the mail may have been sent already.
    pub again: bool,
    /// Whether it is counted with others of its kind.
    pub gathering: Gathering,
}

/// The outcome of a request to claim a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The caller may send the mail.
    Ours(Claim),
    /// The mail was sent before, or refused for good.
    Done,
    /// Another worker has claimed it.
    InHand,
    /// The mailbox bounced, or complained about a mail of ours.
    Suppressed,
    /// The person has unsubscribed from the topic.
    Unsubscribed,
    /// [`GATHERED_AN_HOUR`] mails of its kind were claimed in its hour. The last one said that no more come.
    Gathered,
}

/// How a mail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// The mail service has accepted it.
    Sent,
    /// The mail service refuses it for good, for this reason.
    Refused(String),
}

/// Why a mailbox gets no more mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suppression {
    /// It does not exist.
    Bounced,
    /// Its owner has reported a mail of ours as spam.
    Complained,
}

impl Suppression {
    /// Returns the reason's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// A mail ready to be sent. It has no sender; the mailer adds that. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Address of the recipient.
    pub to: Address,
    /// Subject, which is one line.
    pub subject: String,
    /// The mail as plain text.
    pub text: String,
    /// The mail as an HTML page.
    pub html: String,
    /// URL at which one request unsubscribes from the topic, for mails that have one.
    pub unsubscribe: Option<String>,
    /// When it was written.
    pub at: Timestamp,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(..)")
    }
}

/// The answer of the mail service. A missing answer is a [`Fault`] instead: the mail may or may not have been sent.
#[derive(Debug)]
pub enum Handover {
    /// It was accepted, and has this id there.
    Accepted(String),
    /// It was refused for good, for this reason.
    Refused(String),
    /// It was refused for now and may be accepted later.
    NotNow(Fault),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_nothing_that_could_end_its_line_or_add_another() {
        for good in ["ann@example.com", "a.b+c_d%e@sub.example.co", "x@localhost", "o'neill@example.com"] {
            assert_eq!(Address::parse(good).map(|address| address.as_str().to_owned()).as_deref(), Some(good));
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@example.com\r\nBcc: eve@example.com",
            "ann@example.com,eve@example.com",
            "ann <ann@example.com>",
            "\"ann eve\"@example.com",
            "ann@exam ple.com",
            "été@example.com",
            "ann@exämple.com",
            ".ann@example.com",
            "ann.@example.com",
            "=?utf-8?q?ann?=@example.com",
            "a..b@example.com",
            "ann@example..com",
            "ann@example.com.",
            long.as_str(),
        ] {
            assert_eq!(Address::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_persons_address_may_have_an_international_domain() {
        let sendable = |text| Address::of_person(text).map(|address| address.as_str().to_owned());
        assert_eq!(sendable("ann@été.example").as_deref(), Some("ann@xn--t-9fab.example"));
        assert_eq!(sendable("Ann@example.com").as_deref(), Some("Ann@example.com"));
        assert_eq!([sendable("élise@example.com"), sendable("=?utf-8?q?ann?=@example.com")], [None, None]);
    }

    #[test]
    fn a_mailbox_is_the_same_in_any_case_and_reveals_no_address() {
        let mailbox = |text| Address::parse(text).unwrap().mailbox();
        assert_eq!(mailbox("Ann@Example.COM"), mailbox("ann@example.com"));
        assert_ne!(mailbox("ann@example.com"), mailbox("eve@example.com"));
        // printf ann@example.com | sha256sum
        assert_eq!(
            mailbox("ann@example.com").to_string(),
            "71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476"
        );
        assert_eq!(format!("{:?}", Address::parse("ann@example.com").unwrap()), "Address(..)");
    }

    #[test]
    fn a_sender_has_a_name_or_none() {
        let sender = |text| Sender::parse(text).map(|sender| (sender.name, sender.address.as_str().to_owned()));
        let address = || "no-reply@example.com".to_owned();
        assert_eq!(sender("Été & Cie <no-reply@example.com>"), Some((Some("Été & Cie".to_owned()), address())));
        assert_eq!(sender("<no-reply@example.com>"), Some((None, address())));
        assert_eq!(sender(" no-reply@example.com "), Some((None, address())));
        for bad in ["", "Ann", "Ann <ann>", "A\r\nBcc: x <a@example.com>", "<<a@example.com>", "\"A\" <a@example.com>"]
        {
            assert_eq!(sender(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_mail_is_known_by_its_event_and_the_hash_of_its_recipient() {
        let (event, other) = (EventId::mint(Timestamp::from_secs(1)), EventId::mint(Timestamp::from_secs(1)));
        let [ann, eve] = ["user_ann1", "user_eve1"].map(|id| UserId::parse(id).unwrap());
        assert_eq!(MailId::new(event, ann.as_str()), MailId::new(event, ann.as_str()));
        assert_ne!(MailId::new(event, ann.as_str()), MailId::new(event, eve.as_str()));
        assert_ne!(MailId::new(event, ann.as_str()), MailId::new(other, ann.as_str()));
        assert!(!MailId::new(event, ann.as_str()).to_string().contains("ann"));
    }
}
