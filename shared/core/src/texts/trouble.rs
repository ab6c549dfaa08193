//! Trouble with the model: how often a call is retried, after which wait, and which failure the job has in the end.

use std::time::Duration;

use super::Tokens;
use crate::jobs::Failure;

/// Why a call did not lead to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The kind of trouble.
    pub sort: Sort,
    /// How long the model asked us to wait.
    pub retry_after: Option<Duration>,
    /// The cause, for the log. It contains nothing of the prompt or the answer.
    pub cause: String,
    /// Tokens that the failed call used.
    pub tokens: Tokens,
}

/// The kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The model has too many requests (429).
    Busy,
    /// It did not answer, or failed (5xx).
    Down,
    /// Its answer is not a usable text.
    Unusable,
    /// Its text breaks off (`finish_reason` is `length`).
    Cut,
    /// It refuses to write this.
    Refused,
    /// The prompt is too long for it.
    TooLong,
    /// It refuses our calls: its address, its name, the API key or the account is wrong.
    Misconfigured,
}

/// Most tries of a step whose workers all crashed. A message is received more often than that before it goes to the
/// dead-letter queue, so the job fails first and its owner learns why.
const KILLED: u32 = 4;
/// Waits in seconds before the second try and later ones, for trouble that ends by itself within minutes.
const LONG: [u64; 5] = [15, 60, 180, 420, 900];
/// Such waits for trouble that another try of the same request may avoid.
const SHORT: [u64; 3] = [2, 15, 30];
/// Such waits for trouble that an operator must repair.
const BY_HAND: [u64; 4] = [60, 300, 600, 900];
/// Up to this many tries, a short wait that the model asks for is accepted.
const BELIEVED: u32 = 2;
/// Shortest wait that a model can ask for.
const LEAST: Duration = Duration::from_secs(1);
/// Longest wait that a model can ask for.
const MOST: Duration = Duration::from_hours(1);

impl Sort {
    /// Every sort.
    pub const ALL: [Self; 7] =
        [Self::Busy, Self::Down, Self::Unusable, Self::Cut, Self::Refused, Self::TooLong, Self::Misconfigured];

    /// Returns the name used in the table and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Down => "down",
            Self::Unusable => "unusable",
            Self::Cut => "cut",
            Self::Refused => "refused",
            Self::TooLong => "too_long",
            Self::Misconfigured => "misconfigured",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }

    /// Returns the waits in seconds before the second try and later ones. There is one more try than waits.
    const fn waits(self) -> &'static [u64] {
        match self {
            Self::Busy | Self::Down => &LONG,
            Self::Unusable | Self::Cut => &SHORT,
            // A second try may succeed. A third hardly ever does.
            Self::Refused | Self::TooLong => SHORT.split_at(1).0,
            Self::Misconfigured => &BY_HAND,
        }
    }

    /// Returns the failure of a job that is given up because of this trouble.
    fn failure(self) -> Failure {
        let (code, message) = match self {
            Self::Busy | Self::Down => {
                ("MODEL_UNAVAILABLE", "The language model could not be reached for a while; please try again later")
            }
            Self::Unusable | Self::Cut => (
                "MODEL_ANSWER_UNUSABLE",
                "The language model gave no usable text; please try again, perhaps in other words",
            ),
            Self::Refused => {
                ("MODEL_REFUSED", "The language model will not write about this; please try again in other words")
            }
            Self::TooLong => ("REQUEST_TOO_LONG", "The request is too long for the language model; please shorten it"),
            Self::Misconfigured => {
                ("MODEL_UNAVAILABLE", "Texts cannot be written at the moment; please try again later")
            }
        };
        Failure { code: code.to_owned(), message: message.to_owned() }
    }
}

/// Returns the job's failure if a step has no tries left after `tries`. `last` is the trouble with which the last try
/// ended; `None` if its worker crashed.
pub(super) fn spent(tries: u32, last: Option<Sort>) -> Option<Failure> {
    let most = last.map_or(KILLED, |sort| u32::try_from(sort.waits().len()).unwrap_or(0) + 1);
    let broke_off = || Failure {
        code: "WRITING_BROKE_OFF".to_owned(),
        message: "Writing the text broke off several times; please try again".to_owned(),
    };
    (tries >= most).then(|| last.map_or_else(broke_off, Sort::failure))
}

impl Trouble {
    /// Creates a trouble without used tokens and without a requested wait.
    pub fn new(sort: Sort, cause: impl Into<String>) -> Self {
        Self { sort, retry_after: None, cause: cause.into(), tokens: Tokens::default() }
    }

    /// Returns how long to wait after this many tries. It is the wait that the model asks for, at most an hour, or else
    /// one that grows with each try. After the second try, a shorter requested wait is extended to that one. Otherwise
    /// all tries could be used up within seconds.
    pub fn wait(&self, tries: u32) -> Duration {
        let waits = self.sort.waits();
        let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(0).min(waits.len() - 1);
        let own = Duration::from_secs(waits[at]);
        let least = if tries > BELIEVED { own } else { LEAST };
        self.retry_after.map_or(own, |asked| asked.clamp(LEAST, MOST).max(least))
    }

    /// Returns the job's failure for the case that no try is left.
    pub fn failure(&self) -> Failure {
        self.sort.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_trouble_has_a_bounded_number_of_tries_and_a_failure() {
        for sort in Sort::ALL {
            assert_eq!(Sort::from_name(sort.name()), Some(sort));
            let most = (1..10).find(|tries| spent(*tries, Some(sort)).is_some()).unwrap();
            assert!((2..=6).contains(&most), "{sort:?}");
            let waits: Vec<Duration> = (1..most).map(|tries| Trouble::new(sort, "").wait(tries)).collect();
            assert!(waits.is_sorted() && waits.iter().all(|wait| *wait <= Duration::from_mins(15)), "{waits:?}");
        }
        assert_eq!((spent(3, None), spent(4, None).unwrap().code.as_str()), (None, "WRITING_BROKE_OFF"));
    }

    #[test]
    fn a_requested_wait_is_kept_up_to_an_hour() {
        let asked =
            |seconds| Trouble { retry_after: Some(Duration::from_secs(seconds)), ..Trouble::new(Sort::Busy, "") };
        let waits = [0, 7, 86_400].map(|seconds| asked(seconds).wait(1).as_secs());
        assert_eq!(waits, [1, 7, 3_600]);
    }
}
