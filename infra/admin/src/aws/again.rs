//! Repeats calls that a service did not carry out, and calls that only read.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Retry behavior"; AWS Architecture Blog, "Exponential Backoff And Jitter".

use std::time::Duration;

use consigne_aws::jittered;

use super::Refusal;

/// Pauses before the further tries. Each is drawn between half of it and one and a half.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2)];
/// Codes with which services refuse a caller who asks too often, or their beginnings. Such a call was not carried out.
const THROTTLED: [&str; 6] = [
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttl",
    "TooManyRequests",
];
/// The words with which services say the same under another code.
const TOO_OFTEN: &str = "Rate exceeded";
/// Beginnings of the names of operations that change nothing.
const READS: [&str; 6] = ["Describe", "Filter", "Get", "List", "Query", "Scan"];

/// A try of a call that brought no answer.
#[derive(Clone, Debug)]
pub(super) struct Try {
    /// Why.
    pub(super) refusal: Refusal,
    /// Whether it may be otherwise a moment later: the connection broke, or the service had an error of its own.
    pub(super) passing: bool,
}

/// Returns whether an answer refuses a caller because they ask too often.
pub(super) fn is_throttled(status: u16, code: &str, message: &str) -> bool {
    status == 429 || THROTTLED.iter().any(|start| code.starts_with(start)) || message.contains(TOO_OFTEN)
}

/// Returns whether an action only reads, so that it may be repeated whatever became of the try before.
fn reads(action: &str) -> bool {
    let operation = action.split_once(':').map_or(action, |(_, operation)| operation);
    READS.iter().any(|verb| operation.starts_with(verb))
}

/// Tries a call until it is answered, or until a further try is of no use or not safe. `action` is the permission that
/// the call needs. A call that changes something is repeated only if it was not carried out.
pub(super) async fn repeated<T>(action: &str, mut attempt: impl AsyncFnMut() -> Result<T, Try>) -> Result<T, Refusal> {
    for pause in PAUSES {
        match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(Try { refusal: Refusal::Throttled(_), .. }) => {}
            Err(Try { passing: true, .. }) if reads(action) => {}
            Err(failed) => return Err(failed.refusal),
        }
        tokio::time::sleep(pause / 2 + jittered(pause)).await;
    }
    attempt().await.map_err(|failed| failed.refusal)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    const READ: &str = "lambda:GetFunctionConfiguration";
    const CHANGE: &str = "dynamodb:UpdateItem";

    /// Returns how many tries a call takes of which the first ones fail in this way, and whether it is answered.
    async fn tries(action: &str, failures: u32, refusal: Refusal, passing: bool) -> (u32, bool) {
        let made = Cell::new(0);
        let answer = repeated(action, async || {
            made.set(made.get() + 1);
            if made.get() <= failures { Err(Try { refusal: refusal.clone(), passing }) } else { Ok(()) }
        });
        let answered = answer.await.is_ok();
        (made.get(), answered)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_by_throttling_is_repeated_after_growing_pauses() {
        let busy = || Refusal::Throttled("ThrottlingException".to_owned());
        let began = Instant::now();
        assert_eq!(tries(READ, 2, busy(), false).await, (3, true));
        assert!(began.elapsed() >= Duration::from_millis(650), "{:?}", began.elapsed());
        assert_eq!(tries(CHANGE, 3, busy(), false).await, (4, true), "a change that was not carried out");
        let began = Instant::now();
        assert_eq!(tries(READ, 9, busy(), false).await, (4, false));
        let waited = began.elapsed();
        assert!(waited >= Duration::from_millis(1_650) && waited <= Duration::from_millis(4_960), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_call_is_repeated_only_if_it_reads() {
        let broken = || Refusal::Failed("503".to_owned());
        assert_eq!(tries(READ, 1, broken(), true).await, (2, true));
        assert_eq!(tries(CHANGE, 1, broken(), true).await, (1, false), "it may have been carried out");
        assert_eq!(tries(READ, 1, broken(), false).await, (1, false), "it would fail again");
        assert_eq!(tries(READ, 1, Refusal::Denied("x:GetY"), false).await, (1, false));
    }

    #[test]
    fn actions_that_change_something_are_told_from_those_that_read() {
        for action in ["cloudformation:DescribeStacks", "logs:FilterLogEvents", "s3:ListBucket", "dynamodb:Scan"] {
            assert!(reads(action), "{action}");
        }
        for action in ["cloudformation:ExecuteChangeSet", "s3:PutBucketCORS", "dynamodb:RestoreTableToPointInTime"] {
            assert!(!reads(action), "{action}");
        }
    }
}
