//! The verdict on a call: the answer for its caller, and whether the call is charged.

use std::time::Duration;

use crate::credits::{HoldEnd, VoidReason};
use crate::{Code, Fault};

/// A call to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamCall {
    /// HTTP method of the call.
    pub method: String,
    /// Scheme and authority of the upstream.
    pub origin: String,
    /// Path and query, below the upstream's base.
    pub target: String,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body of the call, unchanged.
    pub body: Vec<u8>,
    /// How long the whole answer may take.
    pub timeout: Duration,
    /// Most bytes of the answer's body.
    pub response_max: usize,
}

/// An upstream's complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status of the answer.
    pub status: u16,
    /// Headers of the answer, as received.
    pub headers: Vec<(String, String)>,
    /// Body of the answer, as received.
    pub body: Vec<u8>,
}

impl Answered {
    /// Returns the `Content-Length` that the upstream states, in bytes, if there is exactly one.
    pub fn stated_length(&self) -> Option<u64> {
        let mut stated = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let (first, more) = (stated.next()?, stated.next());
        first.1.trim().parse().ok().filter(|_| more.is_none())
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took too long.
    Timeout,
    /// No connection could be opened.
    Unreachable,
    /// The answer was malformed or broke off.
    Broken,
    /// The answer was larger than the service's limit.
    TooLarge,
}

/// The outcome of a call to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamOutcome {
    /// A complete answer, with any status.
    Answered(Answered),
    /// No answer, with the cause for the log.
    Failed(Failure, String),
}

/// The verdict on a call: how its hold ends, the status in the usage log, and the answer for the caller.
#[derive(Debug)]
pub struct Verdict {
    /// The upstream's status, or the gateway's status if the upstream gave no valid answer.
    pub status: u16,
    /// The answer for the caller.
    pub answer: Result<Answered, Fault>,
}

impl Verdict {
    /// Judges an outcome. An answer from 200 to 499 is charged: it is the service's work, and a caller's mistakes are
    /// not refunded. A failure of the service is not charged. Neither is 401 or 407: upstreams do not know our callers,
    /// so these mean that the upstream does not accept the gateway.
    pub fn of(outcome: UpstreamOutcome) -> Self {
        match outcome {
            UpstreamOutcome::Answered(answered) => match answered.status {
                status @ (401 | 407) => Self { status, answer: Err(failed("unauthorized").detail("status", status)) },
                200..=499 => Self { status: answered.status, answer: Ok(answered) },
                status @ 500..=599 => Self { status, answer: Err(failed("status").detail("status", status)) },
                odd => Self { status: 502, answer: Err(failed("malformed").because(format!("the status {odd}"))) },
            },
            UpstreamOutcome::Failed(failure, cause) => {
                let fault = match failure {
                    Failure::Timeout => {
                        Fault::new(Code::UpstreamTimeout, "service did not answer in time; the call was not charged")
                    }
                    Failure::Unreachable => failed("unreachable"),
                    Failure::Broken => failed("malformed"),
                    Failure::TooLarge => failed("too_large"),
                };
                Self { status: fault.code.status(), answer: Err(fault.because(cause)) }
            }
        }
    }

    /// Returns how a hold of `amount` credits ends. `response_ms` is the response time in milliseconds.
    pub fn end(&self, amount: u64, response_ms: u64) -> HoldEnd {
        match &self.answer {
            Ok(_) => HoldEnd::Settled { amount, status_code: self.status, response_ms },
            Err(_) => HoldEnd::Voided(VoidReason::ProviderError),
        }
    }
}

fn failed(reason: &'static str) -> Fault {
    Fault::new(Code::UpstreamFailed, "service failed; the call was not charged").detail("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Verdict {
        Verdict::of(UpstreamOutcome::Answered(Answered { status, headers: Vec::new(), body: Vec::new() }))
    }

    #[test]
    fn every_status_is_charged_or_refunded() {
        for status in 0..=999 {
            let verdict = answered(status);
            let (paid, logged) = (verdict.answer.is_ok(), verdict.status);
            match status {
                401 | 407 | 500..=599 => assert_eq!((paid, logged), (false, status)),
                200..=499 => assert_eq!((paid, logged), (true, status)),
                _ => assert_eq!((paid, logged), (false, 502)),
            }
            let want = if paid {
                HoldEnd::Settled { amount: 3, status_code: status, response_ms: 7 }
            } else {
                HoldEnd::Voided(VoidReason::ProviderError)
            };
            assert_eq!(verdict.end(3, 7), want, "{status}");
        }
    }

    #[test]
    fn every_failure_has_its_answer_and_the_cause_stays_in_the_log() {
        for (failure, status, reason) in [
            (Failure::Timeout, 504, None),
            (Failure::Unreachable, 502, Some("unreachable")),
            (Failure::Broken, 502, Some("malformed")),
            (Failure::TooLarge, 502, Some("too_large")),
        ] {
            let verdict = Verdict::of(UpstreamOutcome::Failed(failure, "10.0.0.7 hung up".to_owned()));
            let fault = verdict.answer.unwrap_err();
            assert_eq!((verdict.status, fault.code.status()), (status, status));
            assert_eq!(fault.details.get("reason").and_then(|reason| reason.as_str()), reason);
            assert!(!fault.message.contains("10.0.0.7") && fault.chain().contains("10.0.0.7"));
        }
    }
}
