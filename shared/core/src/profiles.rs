//! Profiles: the contact details needed to send a person mail.
//!
//! Schedules and webhooks have no session token, so contact details are stored. They have two sources: Clerk's
//! webhooks, and the session tokens people sign in with. Each source writes its own part of the record, and the newer
//! part counts. So neither source waits for the other, and no write is lost if both write at once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::events::{AccountClosed, Event, EventData};
use crate::{Code, Fault, Timestamp, UserId};

/// How long after an account was closed its data is searched for a last time. By then its session tokens have expired
/// and the indexes are consistent.
const LAST_LOOK: Duration = Duration::from_hours(1);

/// A language in which mails are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Language {
    #[default]
    English,
    French,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Chooses the language for a BCP 47 tag such as `fr-CA`. Unsupported languages get English.
    pub fn for_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }

    /// Returns the language's code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// Parses a code that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }
}

/// A person's contact details, from one source at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// E-mail address, as the source has it.
    pub email: String,
    /// Whether Clerk has verified the address.
    pub verified: bool,
    /// The person's name, if the source has it.
    pub name: Option<String>,
    /// The language of mails to them.
    pub language: Language,
    /// When the source had these details: for a token, when it was issued.
    pub at: Timestamp,
}

/// A person whose session token contains contact details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Id of the person.
    pub user: UserId,
    /// The contact details in the token.
    pub contact: Contact,
}

impl Sighting {
    /// Returns the 401 for somebody whose account is closed, but whose token has not expired.
    pub fn closed() -> Fault {
        Fault::new(Code::Unauthenticated, "Your account is closed")
    }
}

/// What is known of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Id of the person.
    pub user: UserId,
    /// Contact details from the token of their last recorded sign-in.
    pub from_token: Option<Contact>,
    /// Contact details from Clerk's last webhook; `None` if it had no address.
    pub from_webhook: Option<Contact>,
    /// The time of the change that Clerk's last webhook reports.
    pub webhook_at: Option<Timestamp>,
    /// When their account was closed. From then on nothing else is stored.
    pub closed_at: Option<Timestamp>,
}

impl Profile {
    /// Returns the profile of an unknown person.
    pub fn unknown(user: UserId) -> Self {
        Self { user, from_token: None, from_webhook: None, webhook_at: None, closed_at: None }
    }

    /// Returns the person's name, as other members of an organisation see it.
    pub fn name(&self) -> Option<&str> {
        self.contact()?.name.as_deref()
    }

    /// Requires that the account is open.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if it is closed.
    pub fn require_open(&self) -> Result<(), Fault> {
        if self.closed_at.is_some() { Err(Sighting::closed()) } else { Ok(()) }
    }

    /// Returns the newest contact details with a verified address.
    pub fn verified(&self) -> Option<&Contact> {
        let known = self.from_token.iter().chain(&self.from_webhook).filter(|contact| contact.verified);
        known.max_by_key(|contact| contact.at).filter(|_| self.closed_at.is_none())
    }

    /// Returns the newest contact details. If Clerk's newest webhook has no address, there are none.
    pub fn contact(&self) -> Option<&Contact> {
        let known = self.from_token.iter().chain(&self.from_webhook).max_by_key(|contact| contact.at);
        known.filter(|newest| self.closed_at.is_none() && self.webhook_at.is_none_or(|changed| newest.at >= changed))
    }
}

/// A change of a person's contact details, as a webhook of Clerk reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactUpdate {
    /// Id of the person.
    pub user: UserId,
    /// Their contact details; `None` if they have no address.
    pub contact: Option<Contact>,
    /// When the details changed. A report older than the last one is ignored.
    pub at: Timestamp,
}

/// Why an account was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBecause {
    /// The person asked for it.
    Asked,
    /// Clerk reported that the account was deleted there.
    Deleted,
    /// An operator closed it.
    Operator,
}

/// A closed account, or an erased order, whose data is still to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Id of the person, or of the order.
    pub user: UserId,
    /// When the account was closed, or the order erased.
    pub closed_at: Timestamp,
    /// When `account-close` should continue with it.
    pub due_at: Timestamp,
}

impl Closing {
    /// Starts the closing of an account, due at once.
    pub fn begin(user: UserId, now: Timestamp) -> Self {
        Self { user, closed_at: now, due_at: now }
    }

    /// Returns the event that says that the account was closed.
    pub fn event(&self, cause: ClosedBecause) -> Event {
        Event::new(self.closed_at, EventData::AccountClosed(AccountClosed { user_id: self.user.clone(), cause }))
    }

    /// Returns when the account's data is searched for a last time, before the closing ends.
    pub fn last_look(&self) -> Timestamp {
        self.closed_at.plus(LAST_LOOK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(email: &str, at: i64) -> Contact {
        let (language, at) = (Language::English, Timestamp::from_secs(at));
        Contact { email: email.to_owned(), verified: true, name: None, language, at }
    }

    #[test]
    fn the_newer_source_counts_and_a_closed_account_has_none() {
        let user = UserId::parse("user_ann1").unwrap();
        let mut profile = Profile::unknown(user);
        assert_eq!(profile.contact(), None);
        profile.from_token = Some(contact("old@example.com", 1));
        profile.from_webhook = Some(contact("new@example.com", 2));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
        profile.from_token = Some(contact("newer@example.com", 3));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("newer@example.com"));
        profile.closed_at = Some(Timestamp::from_secs(4));
        assert_eq!(profile.contact(), None);
    }

    #[test]
    fn a_removed_address_is_not_used_until_a_newer_token_has_one() {
        let mut profile = Profile::unknown(UserId::parse("user_ann1").unwrap());
        profile.from_token = Some(contact("old@example.com", 1));
        profile.webhook_at = Some(Timestamp::from_secs(2));
        assert_eq!(profile.contact(), None);
        profile.from_token = Some(contact("new@example.com", 3));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
    }

    #[test]
    fn a_newer_unverified_address_does_not_replace_an_older_verified_one() {
        let mut profile = Profile::unknown(UserId::parse("user_ann1").unwrap());
        profile.from_webhook = Some(contact("webhook@example.com", 1));
        profile.from_token = Some(Contact { verified: false, ..contact("token@example.com", 2) });
        let verified = |profile: &Profile| profile.verified().map(|contact| contact.email.clone());
        assert_eq!(verified(&profile).as_deref(), Some("webhook@example.com"));
        profile.from_token = Some(contact("token@example.com", 2));
        assert_eq!(verified(&profile).as_deref(), Some("token@example.com"));
        profile.closed_at = Some(Timestamp::from_secs(3));
        assert_eq!(verified(&profile), None);
    }

    #[test]
    fn a_tag_chooses_the_language_by_its_first_part() {
        for (tag, name) in [("fr", "fr"), ("fr-CA", "fr"), ("FR_be", "fr"), ("en-GB", "en"), ("frr", "en"), ("", "en")]
        {
            assert_eq!(Language::for_tag(tag).name(), name, "{tag}");
            assert_eq!(Language::from_name(name), Some(Language::for_tag(tag)));
        }
    }
}
