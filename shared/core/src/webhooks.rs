//! Webhooks that come in: what names one.

use std::fmt;

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
