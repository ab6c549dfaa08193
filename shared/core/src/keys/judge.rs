//! Why a call is refused, computed from the key in a fixed order. Checks and failed charges get the same answer.

use serde::Serialize;

use super::{ApiKey, KeyStatus};
use crate::Timestamp;
use crate::periods::{Day, Month};

/// What a call needs of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Generation of the text that the caller sent.
    pub generation: u32,
    /// The scope the call needs, if it names one.
    pub scope: Option<String>,
    /// When the call was admitted.
    pub now: Timestamp,
}

/// A refusal's stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum RefusalCode {
    NotFound,
    Revoked,
    Expired,
    Suspended,
    InsufficientScope,
    DailyQuotaExceeded,
    MonthlyQuotaExceeded,
    InsufficientCredits,
    ServiceUnknown,
}

/// What refuses the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Limiter {
    Key,
    Wallet,
    TestWallet,
    Organisation,
}

/// A refusal of a call. It changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, on which callers branch.
    pub code: RefusalCode,
    /// What refuses the call. `None` for a key that is not found, about which nothing is said, and for an unknown
    /// service.
    pub limiter: Option<Limiter>,
    /// When the same call may pass, if it only has to wait.
    pub resets_at: Option<Timestamp>,
}

impl Refusal {
    /// Returns a refusal that waiting does not lift.
    pub const fn of(code: RefusalCode, limiter: Limiter) -> Self {
        Self { code, limiter: Some(limiter), resets_at: None }
    }

    /// Returns the refusal of keys that are unknown, malformed, deleted or another tenant's, and of unknown services.
    pub const fn bare(code: RefusalCode) -> Self {
        Self { code, limiter: None, resets_at: None }
    }

    fn until(code: RefusalCode, resets_at: Timestamp) -> Self {
        Self { code, limiter: Some(Limiter::Key), resets_at: Some(resets_at) }
    }
}

impl ApiKey {
    /// Returns why the key itself would refuse a charged call, or `None` if it would not.
    pub fn refusal(&self, ask: &Ask) -> Option<Refusal> {
        match self.status {
            KeyStatus::Deleted => return Some(Refusal::bare(RefusalCode::NotFound)),
            KeyStatus::Revoked => return Some(Refusal::of(RefusalCode::Revoked, Limiter::Key)),
            KeyStatus::Suspended => return Some(Refusal::of(RefusalCode::Suspended, Limiter::Key)),
            KeyStatus::Active => {}
        }
        if !self.knows_text(ask) || self.expires_at.is_some_and(|end| end <= ask.now) {
            return Some(Refusal::of(RefusalCode::Expired, Limiter::Key));
        }
        if ask.scope.as_ref().is_some_and(|scope| !self.scopes.contains(scope)) {
            return Some(Refusal::of(RefusalCode::InsufficientScope, Limiter::Key));
        }
        if self.monthly_quota.is_some_and(|quota| self.monthly_used(ask.now) >= quota) {
            return Some(Refusal::until(RefusalCode::MonthlyQuotaExceeded, Month::of(ask.now).ends()));
        }
        if self.daily_quota.is_some_and(|quota| self.daily_used(ask.now) >= quota) {
            return Some(Refusal::until(RefusalCode::DailyQuotaExceeded, Day::of(ask.now).ends()));
        }
        None
    }

    /// Returns whether the text sent is the key's current one, or the previous one within its grace period.
    pub fn knows_text(&self, ask: &Ask) -> bool {
        ask.generation == self.generation
            || (ask.generation + 1 == self.generation && self.previous_until.is_some_and(|until| until > ask.now))
    }
}
