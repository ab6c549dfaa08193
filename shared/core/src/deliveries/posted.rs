//! One attempt: what is sent, and its outcome.

use std::time::Duration;

use crate::endpoints::HookUrl;
use crate::gateway::Failure;
use crate::{Timestamp, text};

/// Longest `Retry-After` that is read, in bytes.
const HEADER_MAX: usize = 64;
/// Length of the excerpt of a response body that is kept, in characters.
const EXCERPT_MAX: usize = 200;
/// Statuses that mean success.
const SUCCESS: std::ops::RangeInclusive<u16> = 200..=299;
/// The status of a receiver that is gone for good.
const GONE: u16 = 410;

/// A webhook, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// URL to send it to.
    pub url: HookUrl,
    /// Headers, with names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body, as it was signed.
    pub body: String,
    /// How long the whole answer may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Post({:?}, ..)", self.url)
    }
}

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// The receiver answered, with any status.
    Answered {
        /// HTTP status of the answer.
        status: u16,
        /// The `Retry-After` header, as received.
        retry_after: Option<String>,
        /// The start of the body, without characters that are not safe to display.
        excerpt: String,
    },
    /// No answer, with the cause for the log.
    Failed(Failure, String),
    /// It was not sent, because the address may no longer be called.
    NotAllowed,
}

impl Posted {
    /// Builds the outcome from a status and the first bytes of a body.
    pub fn answered(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.filter(|text| text.len() <= HEADER_MAX).map(str::to_owned);
        Self::Answered { status, retry_after, excerpt: text::cut(&String::from_utf8_lossy(body), EXCERPT_MAX) }
    }

    /// Returns whether the receiver has accepted the webhook.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if SUCCESS.contains(status))
    }

    /// Returns whether the receiver is gone for good.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Answered { status: GONE, .. })
    }

    /// Returns the status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(..) | Self::NotAllowed => None,
        }
    }

    /// Returns the name of the error, as the API shows it, or `None` for a success.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            Self::Answered { .. } if self.is_success() => None,
            Self::Answered { status: 300..=399, .. } => Some("redirect"),
            Self::Answered { .. } => Some("status"),
            Self::Failed(Failure::Timeout, _) => Some("timeout"),
            Self::Failed(Failure::Unreachable, _) => Some("unreachable"),
            Self::Failed(Failure::Broken | Failure::TooLarge, _) => Some("malformed"),
            Self::NotAllowed => Some("not_allowed"),
        }
    }

    /// Returns how long a receiver that answered 429 or 503 asks us to wait, if it does.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let Self::Answered { status: 429 | 503, retry_after: Some(asked), .. } = self else { return None };
        now.wait_asked(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_success_and_everything_else_has_an_error_name() {
        for (status, want) in [
            (199, Some("status")),
            (200, None),
            (204, None),
            (299, None),
            (301, Some("redirect")),
            (307, Some("redirect")),
            (404, Some("status")),
            (410, Some("status")),
            (500, Some("status")),
        ] {
            let posted = Posted::answered(status, None, b"");
            assert_eq!((posted.error(), posted.is_success()), (want, want.is_none()), "{status}");
            assert_eq!(posted.is_gone(), status == 410);
        }
        assert_eq!(Posted::Failed(Failure::Timeout, String::new()).error(), Some("timeout"));
        assert_eq!(Posted::NotAllowed.error(), Some("not_allowed"));
    }

    #[test]
    fn a_receivers_answer_is_cut_and_made_safe_to_display() {
        let body = format!("<b>no\r\n\u{202e}\0 {}", "x".repeat(10_000));
        let Posted::Answered { excerpt, retry_after, .. } =
            Posted::answered(500, Some(&"9".repeat(65)), &[body.as_bytes(), b"\xff"].concat())
        else {
            panic!("it is an answer");
        };
        assert!(excerpt.starts_with("<b>no x") && excerpt.chars().count() <= EXCERPT_MAX, "{excerpt}");
        assert_eq!(retry_after, None);
    }
}
