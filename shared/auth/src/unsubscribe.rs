//! Tokens in unsubscribe links. They are sealed, which proves that the link came from a mail of ours to that person.

use consigne_core::UserId;
use consigne_core::mail::Topic;

use crate::Secret;
use crate::seal::Seal;

/// What the seal is for. Text sealed for another purpose does not open here.
const CONTEXT: &[&str] = &["mail-unsubscribe"];

/// Seals and opens tokens that unsubscribe one person from one topic. They never expire, because people also read old
/// mails.
#[derive(Clone, Debug)]
pub struct UnsubscribeSeal(Seal);

impl UnsubscribeSeal {
    /// Creates a seal with the key `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(Seal::new(secret))
    }

    /// Returns the token of a person and a topic.
    pub fn token(&self, user: &UserId, topic: Topic) -> String {
        self.0.seal(CONTEXT, &format!("{} {user}", topic.name()))
    }

    /// Returns the person and topic a token is for, or `None` if it is not one of ours.
    pub fn open(&self, token: &str) -> Option<(UserId, Topic)> {
        let payload = self.0.open(CONTEXT, token)?;
        let (topic, user) = payload.split_once(' ')?;
        Some((UserId::parse(user)?, Topic::from_name(topic)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_unsubscribes_its_person_from_its_topic_and_nothing_else_does() {
        let secret = || Secret::new("0123456789abcdef0123456789abcdef").unwrap();
        let (seal, ann) = (UnsubscribeSeal::new(secret()), UserId::parse("user_ann1").unwrap());
        for topic in Topic::ALL {
            let token = seal.token(&ann, topic);
            assert_eq!(seal.open(&token), Some((ann.clone(), topic)));
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{token}");
        }
        // Sealed with the same secret, but for another purpose.
        assert_eq!(seal.open(&Seal::new(secret()).seal(&["list"], "jobs user_ann1")), None);
        assert_eq!(seal.open(&Seal::new(secret()).seal(CONTEXT, "news user_ann1")), None);
        let other = UnsubscribeSeal::new(Secret::new("fedcba9876543210fedcba9876543210").unwrap());
        assert_eq!(other.open(&seal.token(&ann, Topic::Jobs)), None);
        assert_eq!(seal.open(""), None);
    }
}
