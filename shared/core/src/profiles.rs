//! What is known of a person besides their id: the least that a mail to them needs.
//!
//! Schedules and webhooks carry no session token, so it is kept. Two sources tell of a person: the issuer's own events, and the
//! tokens they sign in with. Each has its place in the record and the newer one counts, so that neither waits for the other and
//! nothing is lost when both write at once.

use std::time::Duration;

use crate::{Code, Fault, Timestamp, UserId};

/// How long after an account was closed what it owned is looked for once more: session tokens issued before have run out by
/// then, and indexes have long caught up.
const LAST_LOOK: Duration = Duration::from_hours(1);

/// A language mails are written in.
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

    /// Chooses the language for a BCP 47 tag such as `fr-CA`; English for those not spoken here.
    pub fn for_tag(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }

    /// Gives its code.
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// Reads a code.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }
}

/// How to reach a person, as one source told it at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// E-mail address.
    pub email: String,
    /// Whether the issuer has verified the address.
    pub verified: bool,
    /// What they are called.
    pub name: Option<String>,
    /// What they read.
    pub language: Language,
    /// When the source knew this.
    pub at: Timestamp,
}

/// A person seen with a session token that tells how to reach them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who.
    pub user: UserId,
    /// What the token says.
    pub contact: Contact,
}

impl Sighting {
    /// Makes the 401 of somebody whose account is closed, but whose token has not run out.
    pub fn closed() -> Fault {
        Fault::new(Code::Unauthenticated, "The account is closed")
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who.
    pub user: UserId,
    /// What the token of their last recorded sign-in said.
    pub seen: Option<Contact>,
    /// What the issuer's last event said; nothing when it knew no address.
    pub told: Option<Contact>,
    /// When the issuer knew that.
    pub told_at: Option<Timestamp>,
    /// When their account was closed; nothing else is known of them from then on.
    pub closed_at: Option<Timestamp>,
}

impl Profile {
    /// Makes the profile of somebody of whom nothing is known.
    pub fn unknown(user: UserId) -> Self {
        Self { user, seen: None, told: None, told_at: None, closed_at: None }
    }

    /// Gives the newest of what is known whose address the issuer has verified.
    pub fn verified(&self) -> Option<&Contact> {
        let known = self.seen.iter().chain(&self.told).filter(|contact| contact.verified);
        known.max_by_key(|contact| contact.at).filter(|_| self.closed_at.is_none())
    }

    /// Gives how to reach them: what is newest, which may be that there is no way.
    pub fn contact(&self) -> Option<&Contact> {
        let known = self.seen.iter().chain(&self.told).max_by_key(|contact| contact.at);
        known.filter(|newest| self.closed_at.is_none() && self.told_at.is_none_or(|told| newest.at >= told))
    }
}

/// What the issuer tells of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Who.
    pub user: UserId,
    /// How to reach them; `None` when they have no address.
    pub contact: Option<Contact>,
    /// When it was so. What is told late, of an earlier time, changes nothing.
    pub at: Timestamp,
}

/// An account that was closed, and whose belongings are still to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Whose it was.
    pub user: UserId,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// When `sweep` should look at it next.
    pub due_at: Timestamp,
}

impl Closing {
    /// Begins to close an account, at once.
    pub fn begin(user: UserId, now: Timestamp) -> Self {
        Self { user, closed_at: now, due_at: now }
    }

    /// Gives when all is looked for once more, before the closing ends.
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
        profile.seen = Some(contact("old@example.com", 1));
        profile.told = Some(contact("new@example.com", 2));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
        profile.seen = Some(contact("newer@example.com", 3));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("newer@example.com"));
        profile.closed_at = Some(Timestamp::from_secs(4));
        assert_eq!(profile.contact(), None);
    }

    #[test]
    fn an_address_that_was_given_up_is_used_no_more_until_a_newer_token_names_one() {
        let mut profile = Profile::unknown(UserId::parse("user_ann1").unwrap());
        profile.seen = Some(contact("old@example.com", 1));
        profile.told_at = Some(Timestamp::from_secs(2));
        assert_eq!(profile.contact(), None);
        profile.seen = Some(contact("new@example.com", 3));
        assert_eq!(profile.contact().map(|contact| contact.email.as_str()), Some("new@example.com"));
    }

    #[test]
    fn an_address_nobody_verified_hides_no_older_one_that_was() {
        let mut profile = Profile::unknown(UserId::parse("user_ann1").unwrap());
        profile.told = Some(contact("told@example.com", 1));
        profile.seen = Some(Contact { verified: false, ..contact("seen@example.com", 2) });
        let verified = |profile: &Profile| profile.verified().map(|contact| contact.email.clone());
        assert_eq!(verified(&profile).as_deref(), Some("told@example.com"));
        profile.seen = Some(contact("seen@example.com", 2));
        assert_eq!(verified(&profile).as_deref(), Some("seen@example.com"));
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
