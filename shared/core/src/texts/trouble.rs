//! What goes wrong with a model: how often it is asked again, after which wait, and what its reader is told in the end.

use std::time::Duration;

use super::Tokens;
use crate::jobs::Failure;

/// What a call ended in, when that is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Of which sort it is.
    pub sort: Sort,
    /// How long the model asked to be left alone.
    pub retry_after: Option<Duration>,
    /// For the log: nothing of what was asked or answered stands in it.
    pub cause: String,
    /// What it cost all the same.
    pub tokens: Tokens,
}

/// Sorts of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It has too much to do (429).
    Busy,
    /// It did not answer, or has trouble of its own (5xx).
    Down,
    /// What it answered is no text, or not enough of one.
    Unusable,
    /// Its text breaks off (`finish_reason` is `length`).
    Cut,
    /// It will not write that.
    Refused,
    /// What it was asked is too long for it.
    TooLong,
    /// It does not take our calls: address, name, key or account are not as they should be.
    Misconfigured,
}

/// Tries of a step whose workers were all killed: one fewer than a message has receives.
const KILLED: u32 = 4;
/// Waits before the second try and those after it, by how long the trouble is likely to last.
const LONG: [u64; 5] = [15, 60, 180, 420, 900];
const SHORT: [u64; 3] = [2, 15, 30];
const BY_HAND: [u64; 4] = [60, 300, 600, 900];
/// Tries after which a model is believed that it will be back in a moment.
const BELIEVED: u32 = 2;
/// Shortest and longest wait that a model may ask for.
const LEAST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_hours(1);

impl Sort {
    /// Every sort.
    pub const ALL: [Self; 7] =
        [Self::Busy, Self::Down, Self::Unusable, Self::Cut, Self::Refused, Self::TooLong, Self::Misconfigured];

    /// Gives the name used in the table and in the log.
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

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }

    /// Gives the waits before further tries; there is one try more than there are waits.
    const fn waits(self) -> &'static [u64] {
        match self {
            Self::Busy | Self::Down => &LONG,
            Self::Unusable | Self::Cut => &SHORT,
            // A second try of the same question may go otherwise; a third would not.
            Self::Refused | Self::TooLong => SHORT.split_at(1).0,
            Self::Misconfigured => &BY_HAND,
        }
    }

    /// Gives what the reader of a text is told that was given up for it.
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
            Self::TooLong => {
                ("WISH_TOO_LONG", "What was wished for is too long for the language model; please shorten it")
            }
            Self::Misconfigured => {
                ("MODEL_UNAVAILABLE", "Texts cannot be written at the moment; please try again later")
            }
        };
        Failure { code: code.to_owned(), message: message.to_owned() }
    }
}

/// Says why a step is not tried again; `None` when it is. `tries` were made, and the last ended in `last`, or was cut short.
pub(super) fn spent(tries: u32, last: Option<Sort>) -> Option<Failure> {
    let most = last.map_or(KILLED, |sort| u32::try_from(sort.waits().len()).unwrap_or(0) + 1);
    let broke_off = || Failure {
        code: "WRITING_BROKE_OFF".to_owned(),
        message: "Writing the text broke off several times; please try again".to_owned(),
    };
    (tries >= most).then(|| last.map_or_else(broke_off, Sort::failure))
}

impl Trouble {
    /// Makes a trouble that cost nothing and asks for no wait.
    pub fn new(sort: Sort, cause: impl Into<String>) -> Self {
        Self { sort, retry_after: None, cause: cause.into(), tokens: Tokens::default() }
    }

    /// Gives how long to wait after so many tries: as long as the model asks for, within an hour, or longer each time. From the
    /// third try on a short wait is not believed any more, or all tries would be spent within seconds.
    pub fn wait(&self, tries: u32) -> Duration {
        let waits = self.sort.waits();
        let at = usize::try_from(tries.saturating_sub(1)).unwrap_or(0).min(waits.len() - 1);
        let own = Duration::from_secs(waits[at]);
        let least = if tries > BELIEVED { own } else { LEAST };
        self.retry_after.map_or(own, |asked| asked.clamp(LEAST, MOST).max(least))
    }

    /// Gives what the reader is told should it never be tried again.
    pub fn failure(&self) -> Failure {
        self.sort.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_is_tried_a_bounded_number_of_times_and_then_said_in_a_sentence() {
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
    fn a_model_is_left_alone_as_long_as_it_asks_within_an_hour() {
        let asked =
            |seconds| Trouble { retry_after: Some(Duration::from_secs(seconds)), ..Trouble::new(Sort::Busy, "") };
        let waits = [0, 7, 86_400].map(|seconds| asked(seconds).wait(1).as_secs());
        assert_eq!(waits, [1, 7, 3_600]);
    }
}
