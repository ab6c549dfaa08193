//! Why a call is refused: read off the key, in one order, the same for a probe and for a failed charge.

use serde::Serialize;

use super::{ApiKey, KeyStatus};
use crate::Timestamp;
use crate::periods::{Day, Month};

/// What a call asks of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which text of the key was shown.
    pub generation: u32,
    /// The scope the call needs, if it names one.
    pub scope: Option<String>,
    /// When it was admitted.
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

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Limiter {
    Key,
    Wallet,
    TestWallet,
    Organisation,
}

/// One refusal. It changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// What stands in the way; nothing is said of a key that cannot be found.
    pub limiter: Option<Limiter>,
    /// When the same call may pass, if time alone brings that.
    pub resets_at: Option<Timestamp>,
}

impl Refusal {
    /// Makes a refusal that time does not lift.
    pub const fn of(code: RefusalCode, limiter: Limiter) -> Self {
        Self { code, limiter: Some(limiter), resets_at: None }
    }

    /// Makes the refusal of unknown, malformed, deleted and other tenants' keys, and the one of unknown services.
    pub const fn bare(code: RefusalCode) -> Self {
        Self { code, limiter: None, resets_at: None }
    }

    fn until(code: RefusalCode, resets_at: Timestamp) -> Self {
        Self { code, limiter: Some(Limiter::Key), resets_at: Some(resets_at) }
    }
}

impl ApiKey {
    /// Says why a charged call would be refused by the key itself, or `None` when it would not.
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

    /// Says whether the text shown is the current one, or the one before it within its grace period.
    pub fn knows_text(&self, ask: &Ask) -> bool {
        ask.generation == self.generation
            || (ask.generation + 1 == self.generation && self.previous_until.is_some_and(|until| until > ask.now))
    }
}
