//! Why a key refuses a call. The conditions are checked in a fixed order, so a check and a failed charge get the same
//! refusal.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiKey, KeyStatus};
use crate::Timestamp;
use crate::periods::{Day, Month};
use crate::rates::{Span, Window};

/// What a call requires of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Generation of the key's text that the caller sent.
    pub generation: u32,
    /// The scope the call needs, if it names one.
    pub scope: Option<String>,
    /// When the call was admitted.
    pub now: Timestamp,
}

/// A refusal's stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs)]
pub enum RefusalCode {
    NotFound,
    Revoked,
    Expired,
    Suspended,
    InsufficientScope,
    MinuteQuotaExceeded,
    DailyQuotaExceeded,
    MonthlyQuotaExceeded,
    InsufficientCredits,
    ServiceUnknown,
}

/// What refuses the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
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
    /// What refuses the call. `None` for a key that is not found, about which nothing is revealed, and for an unknown
    /// service.
    pub limiter: Option<Limiter>,
    /// When the same call may be admitted, if waiting is enough.
    pub resets_at: Option<Timestamp>,
}

impl Refusal {
    /// Returns a refusal that does not end by waiting.
    pub const fn of(code: RefusalCode, limiter: Limiter) -> Self {
        Self { code, limiter: Some(limiter), resets_at: None }
    }

    /// Returns the refusal of a key that is unknown, malformed, deleted or of another tenant, or of an unknown service.
    pub const fn bare(code: RefusalCode) -> Self {
        Self { code, limiter: None, resets_at: None }
    }

    fn until(code: RefusalCode, resets_at: Timestamp) -> Self {
        Self { code, limiter: Some(Limiter::Key), resets_at: Some(resets_at) }
    }
}

impl ApiKey {
    /// Returns why the key would refuse a call, or `None` if it would not. It does not check the wallet.
    pub fn refusal(&self, ask: &Ask) -> Option<Refusal> {
        match self.status {
            KeyStatus::Deleted => return Some(Refusal::bare(RefusalCode::NotFound)),
            KeyStatus::Revoked => return Some(Refusal::of(RefusalCode::Revoked, Limiter::Key)),
            KeyStatus::Suspended => return Some(Refusal::of(RefusalCode::Suspended, Limiter::Key)),
            KeyStatus::Active => {}
        }
        if !self.accepts_text(ask) || self.expires_at.is_some_and(|end| end <= ask.now) {
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
        if let Some((quota, minute)) = self.minute_quota.zip(self.minute)
            && Window::counted(Some(minute), Span::Minute, ask.now) >= quota
        {
            return Some(Refusal::until(RefusalCode::MinuteQuotaExceeded, Span::Minute.ends(minute.started)));
        }
        None
    }

    /// Returns whether the caller sent the key's current text, or its previous text within the grace period.
    pub fn accepts_text(&self, ask: &Ask) -> bool {
        ask.generation == self.generation
            || (ask.generation + 1 == self.generation && self.previous_until.is_some_and(|until| until > ask.now))
    }
}
