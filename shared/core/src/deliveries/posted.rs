//! One attempt: what is sent, and what came of it.

use std::time::Duration;

use crate::endpoints::HookUrl;
use crate::gateway::Failure;
use crate::{Timestamp, text};

/// Longest `Retry-After` that is looked at, in bytes.
const HEADER_MAX: usize = 64;
/// Most characters of an answer's body that are kept.
const EXCERPT_MAX: usize = 200;
/// Highest status of a success.
const SUCCESS: std::ops::RangeInclusive<u16> = 200..=299;
/// The status by which a receiver says that it is gone for good.
const GONE: u16 = 410;

/// A webhook, as it goes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Post {
    /// To where.
    pub url: HookUrl,
    /// Headers, each with its name in lower case.
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

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// An answer; of its body the beginning.
    Answered {
        /// HTTP status.
        status: u16,
        /// `Retry-After`, as it came.
        retry_after: Option<String>,
        /// How the body begins, fit to be shown.
        excerpt: String,
    },
    /// None; with the cause for the log.
    Failed(Failure, String),
    /// It was not sent: the address may not be called any more.
    NotAllowed,
}

impl Posted {
    /// Makes an answer of a status and the first bytes of a body.
    pub fn answered(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let retry_after = retry_after.filter(|text| text.len() <= HEADER_MAX).map(str::to_owned);
        Self::Answered { status, retry_after, excerpt: text::cut(&String::from_utf8_lossy(body), EXCERPT_MAX) }
    }

    /// Says whether the receiver has it.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status, .. } if SUCCESS.contains(status))
    }

    /// Says whether the receiver wants no more, ever.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Answered { status: GONE, .. })
    }

    /// Gives the status, if there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(..) | Self::NotAllowed => None,
        }
    }

    /// Gives in a word what went wrong.
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

    /// Gives how long a receiver that is busy asks us to wait.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let Self::Answered { status: 429 | 503, retry_after: Some(asked), .. } = self else { return None };
        now.wait_asked(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_success_and_everything_else_has_a_word() {
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
    fn what_a_receiver_says_is_cut_and_made_fit_to_be_shown() {
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
