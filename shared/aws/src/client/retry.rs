//! What goes away by itself, and how long it is waited for.

use std::convert::Infallible;
use std::time::Duration;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};

use super::own::Failed;
use super::{FIRST_WAIT, Failure};
use crate::budget;
use crate::jitter::jittered;

/// Says whether another try may go well, by the rules of the SDK's standard mode: no answer, an answer that breaks off,
/// trouble of the service's own, and whatever is called throttling.
/// Source: AWS SDKs and Tools reference guide, "Retry behavior".
pub(super) fn is_retryable(failed: &Failed, code: for<'a> fn(&'a Error) -> Option<&'a str>) -> bool {
    match failed {
        Failed::Refused(refusal, answer) => {
            let retry = |code| THROTTLING_ERRORS.contains(&code) || TRANSIENT_ERRORS.contains(&code);
            matches!(answer.status().as_u16(), 500 | 502 | 503 | 504) || code(refusal).is_some_and(retry)
        }
        Failed::Broken(failure) => is_retryable_failure(failure),
    }
}

fn is_retryable_failure(failure: &Failure<Infallible>) -> bool {
    let of_the_line = |error: &ConnectorError| error.is_timeout() || error.is_io() || error.as_other().is_some();
    match failure {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.as_connector_error().is_some_and(of_the_line),
        _ => false,
    }
}

/// Waits between tries: longer each time, by chance, and within what the invocation can afford.
pub(super) struct Backoff {
    left: u32,
    longest: Duration,
}

impl Backoff {
    /// Is good for so many tries, the first included.
    pub(super) fn of(tries: u32) -> Self {
        Self { left: tries.saturating_sub(1), longest: FIRST_WAIT }
    }

    /// Waits before another try; `false`, at once, when there is none or no time for one.
    pub(super) async fn wait(&mut self) -> bool {
        if self.left == 0 || budget::spendable() < self.longest {
            return false;
        }
        tokio::time::sleep(jittered(self.longest)).await;
        self.left -= 1;
        self.longest *= 2;
        true
    }
}
