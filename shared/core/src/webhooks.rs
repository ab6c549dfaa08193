//! Webhooks that come in: what names one.

use std::fmt;
use std::time::Duration;

use crate::Timestamp;

/// Longest id of a webhook, in bytes.
const ID_MAX: usize = 255;

/// The id its sender gave a webhook, the same on every delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WebhookId(String);

impl WebhookId {
    /// Parses 1 to 255 visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && !text.is_empty() && text.len() <= ID_MAX).then(|| Self(text.to_owned()))
    }

    /// Gives the id as its sender writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long the id of a webhook is remembered: longer than any sender goes on trying.
pub const REMEMBERED: Duration = Duration::from_hours(24 * 5);

/// A webhook that was received, to be remembered in the transaction it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Whose it is: ids of two senders never meet.
    pub source: &'static str,
    /// Its id.
    pub id: WebhookId,
    /// Hash of what it says.
    pub fingerprint: String,
    /// When it came.
    pub at: Timestamp,
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
