//! Converts the refusal of a key to an error, for routes that answer a refusal with an error status.

use super::{Refusal, RefusalCode};
use crate::orgs::key_not_found;
use crate::{Code, Fault, Timestamp};

impl Refusal {
    /// Returns the error for a refused key: 402 for too few credits, 429 for a quota, 404 for an unknown key, 400 for
    /// an unknown service, else 403. Its details contain the refusal's `code`, its `limiter` and `resets_at`.
    pub fn fault(&self, now: Timestamp) -> Fault {
        let mut fault = match self.code {
            RefusalCode::NotFound => key_not_found(),
            RefusalCode::Revoked => Fault::new(Code::KeyRefused, "key is revoked; use another key"),
            RefusalCode::Expired => Fault::new(Code::KeyRefused, "key has expired; use another key"),
            RefusalCode::Suspended => Fault::new(Code::KeyRefused, "key or its organisation is suspended"),
            RefusalCode::InsufficientScope => Fault::new(Code::InsufficientScope, "key does not have the needed scope"),
            RefusalCode::MinuteQuotaExceeded => {
                Fault::new(Code::RateLimited, "quota of calls a minute is used up; try again at `resets_at`")
            }
            RefusalCode::DailyQuotaExceeded => {
                Fault::new(Code::RateLimited, "daily quota of calls is used up; try again at `resets_at`")
            }
            RefusalCode::MonthlyQuotaExceeded => {
                Fault::new(Code::RateLimited, "monthly quota of calls is used up; try again at `resets_at`")
            }
            RefusalCode::InsufficientCredits => Fault::new(
                Code::InsufficientCredits,
                "wallet has not enough credits; buy credits or wait until `resets_at`, if there is one",
            ),
            RefusalCode::ServiceUnknown => Fault::field("service", "unknown service; GET /api/services lists them"),
        };
        fault = fault.detail("code", self.code);
        if let Some(limiter) = self.limiter {
            fault = fault.detail("limiter", limiter);
        }
        let Some(resets_at) = self.resets_at else { return fault };
        fault = fault.detail("resets_at", resets_at);
        if fault.code != Code::RateLimited {
            return fault;
        }
        fault.exhausted(resets_at, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Limiter;

    #[test]
    fn every_refusal_has_its_status_and_code() {
        let now = Timestamp::from_secs(1_000);
        for (code, status, wire) in [
            (RefusalCode::NotFound, 404, "NOT_FOUND"),
            (RefusalCode::Revoked, 403, "KEY_REFUSED"),
            (RefusalCode::Expired, 403, "KEY_REFUSED"),
            (RefusalCode::Suspended, 403, "KEY_REFUSED"),
            (RefusalCode::InsufficientScope, 403, "INSUFFICIENT_SCOPE"),
            (RefusalCode::MinuteQuotaExceeded, 429, "RATE_LIMITED"),
            (RefusalCode::DailyQuotaExceeded, 429, "RATE_LIMITED"),
            (RefusalCode::MonthlyQuotaExceeded, 429, "RATE_LIMITED"),
            (RefusalCode::InsufficientCredits, 402, "INSUFFICIENT_CREDITS"),
            (RefusalCode::ServiceUnknown, 400, "INVALID_REQUEST"),
        ] {
            let fault = Refusal::bare(code).fault(now);
            assert_eq!((fault.code.status(), fault.code.as_str()), (status, wire), "{code:?}");
            assert_eq!(fault.details["code"], serde_json::to_value(code).unwrap());
        }
    }

    #[test]
    fn a_used_up_quota_says_when_it_resets() {
        let resets_at = Some(Timestamp::from_secs(1_060));
        let refusal = Refusal { resets_at, ..Refusal::of(RefusalCode::DailyQuotaExceeded, Limiter::Key) };
        let fault = refusal.fault(Timestamp::from_secs(1_000));
        assert_eq!(fault.details["limiter"], "key");
        assert_eq!(fault.details["resets_at"], "1970-01-01T00:17:40Z");
        assert!(fault.headers.contains(&("retry-after", "60".to_owned())), "{:?}", fault.headers);
    }
}
