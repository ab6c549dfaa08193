//! Received webhooks: their ids, and the record that makes sure each is processed once.

use std::fmt;
use std::time::Duration;

use crate::{Code, Fault, Timestamp};

/// Longest id of a webhook, in bytes.
const ID_MAX: usize = 255;
/// How long a webhook is remembered: longer than any sender retries.
pub const REMEMBERED: Duration = Duration::from_hours(5 * 24);

/// A webhook's id, given by its sender and the same on every delivery.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// Parses 1 to 255 visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && !text.is_empty() && text.len() <= ID_MAX).then(|| Self(text.to_owned()))
    }

    /// Returns the id as its sender writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who sends webhooks. Equal ids of two senders are different ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Clerk, which reports changes of users.
    Clerk,
    /// A generator of images or videos, which reports on jobs.
    Generator,
}

impl Source {
    /// Returns the sender's name, as the table stores it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clerk => "clerk",
            Self::Generator => "generator",
        }
    }
}

/// A webhook with a valid signature. It is recorded in the transaction that makes its changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The sender, whose signature was checked.
    pub source: Source,
    /// The id that its sender gave it.
    pub id: WebhookId,
    /// Hash of its body, which must be the same if the webhook comes again.
    pub fingerprint: String,
    /// The text from which the answer to a retry is built. It must not contain a secret.
    pub result: String,
    /// When it was received.
    pub now: Timestamp,
}

/// Returns the 422 for a webhook whose id was received before with a different body.
pub fn content_mismatch() -> Fault {
    Fault::new(Code::IdempotencyMismatch, "webhook id was already used with a different body")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_255_visible_characters() {
        let longest = "x".repeat(ID_MAX);
        for good in ["1", "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "a.b/c#d", &longest] {
            assert_eq!(WebhookId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        }
        for bad in ["", " ", "a b", "a\n", "é", &format!("{longest}x")] {
            assert_eq!(WebhookId::parse(bad), None, "{bad:?}");
        }
    }
}
