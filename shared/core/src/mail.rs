//! Mails: to whom, about what, and how one event leads to one mail a recipient, however often it is told.

use std::fmt;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::{EventId, Fault, Timestamp, UserId, text};

/// How long a mail in hand is left to whoever has claimed it. Longer than any invocation lives, so that a claim which
/// is older was left behind by one that died.
pub const LEASE: Duration = Duration::from_mins(15);

/// How long it is remembered that a mail was sent: more than twice as long as a queue keeps a message.
pub const REMEMBERED: Duration = Duration::from_hours(24 * 30);

/// Longest address that can be written to, in bytes. Source: RFC 3696, erratum 1690.
const ADDRESS_MAX: usize = 254;

/// An e-mail address that is safe to write into an envelope and a header. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads an address of ASCII, as SES takes them; `None` for what is none, or needs quoting.
    pub fn parse(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let fits = |part: &str, more: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
            !part.is_empty() && part.chars().all(plain) && !part.starts_with('.') && !part.ends_with('.')
        };
        let good = text.len() <= ADDRESS_MAX && fits(local, ".!#$%&'*+-/=?^_`{|}~") && fits(domain, ".-");
        (good && !text.contains("..")).then(|| Self(text.to_owned()))
    }

    /// Gives the address to whoever writes to it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the name under which it is known what becomes of mails to it.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox(hash(&self.0.to_ascii_lowercase()))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(..)")
    }
}

/// A mailbox by the hash of its address in lower case, so that a list of the suppressed is no list of addresses.
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

/// Who mails come from, as the setting says: `Consigne <no-reply@example.com>`, or an address alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What the sender is called.
    pub name: Option<String>,
    /// The address.
    pub address: Address,
}

impl Sender {
    /// Reads a sender; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((name, address)) = text.trim().strip_suffix('>').and_then(|rest| rest.split_once('<')) else {
            return Some(Self { name: None, address: Address::parse(text.trim())? });
        };
        let name = name.trim();
        let shown = !name.contains(text::is_unfit) && !name.contains(['<', '>', '"']);
        let name = (!name.is_empty()).then(|| name.to_owned());
        shown.then_some(Self { name, address: Address::parse(address)? })
    }
}

/// What a person may wish to hear no more of. Letters about keys, invitations and money belong to none: they are sent.
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

    /// Gives its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "jobs",
            Self::Limits => "limits",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }
}

/// One mail: of one event, to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailId {
    event: EventId,
    recipient: String,
}

impl MailId {
    /// Names the mail of an event to a recipient, by their id or address.
    pub fn new(event: EventId, recipient: &str) -> Self {
        Self { event, recipient: hash(recipient) }
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.event, self.recipient)
    }
}

/// Asks for the right to send a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailClaim {
    /// Which mail.
    pub mail: MailId,
    /// Where it would go; a suppressed mailbox gets none.
    pub mailbox: Mailbox,
    /// Who must not have unsubscribed from what.
    pub wanted_by: Option<(UserId, Topic)>,
    /// When it is asked.
    pub now: Timestamp,
}

/// A claim that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which mail.
    pub mail: MailId,
    /// Since when; also what tells it from other claims of the same mail.
    pub at: Timestamp,
    /// Whether an earlier claim ran out, so that the mail may have been sent already.
    pub again: bool,
}

/// What became of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The mail is the asker's to send.
    Ours(Claim),
    /// It was sent before, or refused for good.
    Done,
    /// Somebody else is at it.
    InHand,
    /// The mailbox takes no mail, or has complained of ours.
    Suppressed,
    /// The person wants no mails of this topic.
    Unsubscribed,
}

/// How a mail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// The mail service has it.
    Sent,
    /// The mail service will never take it, and why.
    Refused(String),
}

/// Why a mailbox gets no more mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suppression {
    /// It does not exist.
    Bounced,
    /// Its owner has called a mail of ours spam.
    Complained,
}

impl Suppression {
    /// Gives its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }
}

/// A mail ready to be sent. Only its recipient and its words; who it is from is the sender's matter. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Address,
    /// One line.
    pub subject: String,
    /// The words without any form.
    pub text: String,
    /// The same words as a page.
    pub html: String,
    /// Where one request unsubscribes from the topic, for letters that have one.
    pub unsubscribe: Option<String>,
    /// When it is written.
    pub at: Timestamp,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(..)")
    }
}

/// What the mail service said of a mail. No answer at all is a fault: the mail may be on its way or not.
#[derive(Debug)]
pub enum Handover {
    /// It was taken, and is known there by this id.
    Accepted(String),
    /// It was not taken, and never will be.
    Refused(String),
    /// It was not taken, and may be another time.
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
            "a..b@example.com",
            "ann@example..com",
            "ann@example.com.",
            long.as_str(),
        ] {
            assert_eq!(Address::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_mailbox_is_the_same_in_any_case_and_tells_no_address() {
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
