//! Decides which failed calls are tried again.

use std::convert::Infallible;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::interceptors::context::Error;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};

use super::Failure;
use super::own::Failed;

/// Returns whether another try may succeed, by the rules of the SDK's standard mode: after no answer or an incomplete
/// one, a failure of the service (500, 502, 503, 504), or an error code for throttling or a transient failure. Source:
/// AWS SDKs and Tools reference guide, "Retry behavior".
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
    let is_of_the_connection =
        |error: &ConnectorError| error.is_timeout() || error.is_io() || error.as_other().is_some();
    match failure {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.as_connector_error().is_some_and(is_of_the_connection),
        _ => false,
    }
}
