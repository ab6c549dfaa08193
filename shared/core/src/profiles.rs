//! What is known of a person besides their id: the least that a mail to them needs.
//!
//! Schedules and webhooks carry no session token, so it is kept. Two sources tell of a person: the issuer's own events, and the
//! tokens they sign in with. Each has its place in the record and the newer one counts, so that neither waits for the other and
//! nothing is lost when both write at once.

use crate::{Code, Fault, Timestamp, UserId};

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
    /// What the issuer's last event said.
    pub told: Option<Contact>,
    /// When their account was closed; nothing else is known of them from then on.
    pub closed_at: Option<Timestamp>,
}

impl Profile {
    /// Makes the profile of somebody of whom nothing is known.
    pub fn unknown(user: UserId) -> Self {
        Self { user, seen: None, told: None, closed_at: None }
    }

    /// Gives how to reach them: what is newest.
    pub fn contact(&self) -> Option<&Contact> {
        let known = self.seen.iter().chain(&self.told);
        known.max_by_key(|contact| contact.at).filter(|_| self.closed_at.is_none())
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
    fn a_tag_chooses_the_language_by_its_first_part() {
        for (tag, name) in [("fr", "fr"), ("fr-CA", "fr"), ("FR_be", "fr"), ("en-GB", "en"), ("frr", "en"), ("", "en")]
        {
            assert_eq!(Language::for_tag(tag).name(), name, "{tag}");
            assert_eq!(Language::from_name(name), Some(Language::for_tag(tag)));
        }
    }
}
