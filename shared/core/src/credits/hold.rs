//! Holds: credits set aside for a job whose cost is known only at its end, and resolved at most once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{CallFacts, HoldId, Outcome, Receipt, ReceiptId, WalletId};
use crate::idempotency::key_reused;
use crate::keys::KeyMode;
use crate::periods::Day;
use crate::{Code, Fault, KeyId, Timestamp};

/// How long after its end an open hold is left alone, before `sweep` releases it: for a resolution that was admitted in
/// time, by a clock that is behind.
pub const HOLD_MARGIN: Duration = Duration::from_mins(1);
/// How often in a day (UTC) a key's holds give everything back because the provider failed; later ones give nothing back.
pub const REFUNDS_A_DAY: u32 = 100;

/// One hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Its name.
    pub id: HoldId,
    /// The key it was opened by.
    pub key: KeyId,
    /// What that key spends.
    pub environment: KeyMode,
    /// The wallet it was taken from, whoever the key spends since.
    pub wallet: WalletId,
    /// The wallet's era it was opened in, as the table found it.
    pub expiry_epoch: u32,
    /// Credits set aside.
    pub amount: u64,
    /// Service of the catalogue.
    pub service: String,
    /// Scope the job needed, if it named one.
    pub scope: Option<String>,
    /// Which service opened it; no other may resolve it.
    pub caller: String,
    /// Hash of what was asked; empty without an idempotency key.
    pub fingerprint: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Until when it may be resolved.
    pub expires_at: Timestamp,
    /// How it ended, once it has.
    pub end: Option<Ending>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub how: HoldEnd,
    /// When.
    pub at: Timestamp,
    /// The idempotency key it was resolved by, if there was one.
    pub idempotency_key: Option<String>,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// The job was done, and some or all of the credits are spent.
    #[allow(missing_docs)]
    Settled { amount: u64, status_code: u16, response_ms: u64 },
    /// The job was not done.
    Voided(VoidReason),
    /// Nobody resolved it.
    TimedOut,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoidReason {
    /// The provider failed: all is given back, so many times a day.
    ProviderError,
    /// The provider failed, and the key has had all the refunds of its day: nothing is given back.
    RefundsSpent,
    /// The caller asked for what could not be done: nothing is given back.
    CallerError,
}

impl VoidReason {
    /// Gives the reason's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProviderError => "provider_error",
            Self::RefundsSpent => "refunds_spent",
            Self::CallerError => "caller_error",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ProviderError, Self::RefundsSpent, Self::CallerError].into_iter().find(|reason| reason.name() == name)
    }
}

impl HoldEnd {
    /// Gives the name of a hold's status after it.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::Voided(_) => "voided",
            Self::TimedOut => "timed_out",
        }
    }

    /// Gives what a service asked for that is told of this end. None asks for its refunds to be spent.
    #[must_use]
    pub const fn asked(self) -> Self {
        match self {
            Self::Voided(VoidReason::RefundsSpent) => Self::Voided(VoidReason::ProviderError),
            other => other,
        }
    }
}

/// Who resolves a hold, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// The service.
    pub caller: String,
    /// Its idempotency key, if it sent one.
    pub idempotency_key: Option<String>,
    /// When.
    pub now: Timestamp,
}

/// The one step that ends a hold, with everything that goes into the same transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The hold after it.
    pub hold: Hold,
    /// Credits of it that are spent; the rest is free again.
    pub used: u64,
    /// What was spent, for the usage log; there is none when the job was not done and nothing is charged.
    pub receipt: Option<Receipt>,
    /// Which day's refunds it counts among.
    pub refund_of: Option<Day>,
    /// When.
    pub now: Timestamp,
}

/// What became of a resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolutionOutcome {
    /// It was made.
    Resolved,
    /// The hold has ended since it was read; nothing was changed.
    Conflict,
    /// The key has had all the refunds of its day; nothing was changed.
    NoMoreRefunds,
}

impl Hold {
    /// Reads the id in a path.
    ///
    /// # Errors
    /// `NOT_FOUND`: what is no id is no hold's.
    pub fn id_in_path(text: &str) -> Result<HoldId, Fault> {
        HoldId::parse(text).ok_or_else(hold_not_found)
    }

    /// Gives when `sweep` releases it, unless it is resolved before.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.end.is_none().then(|| self.expires_at.plus(HOLD_MARGIN))
    }

    /// Ends the hold as its service says; `None` when it has ended just so before.
    ///
    /// # Errors
    /// `NOT_FOUND` to other services, `HOLD_RESOLVED`, `HOLD_EXPIRED`, `HOLD_EXCEEDED`, and `IDEMPOTENCY_MISMATCH` when
    /// the same idempotency key has ended it in another way.
    pub fn resolve(&self, how: HoldEnd, by: &Resolver) -> Result<Option<Resolution>, Fault> {
        if self.caller != by.caller {
            return Err(hold_not_found());
        }
        match &self.end {
            Some(end) if end.how.asked() == how.asked() => return Ok(None),
            Some(end) if end.how == HoldEnd::TimedOut => return Err(self.expired()),
            Some(end) if end.idempotency_key.is_some() && end.idempotency_key == by.idempotency_key => {
                return Err(key_reused());
            }
            Some(end) => {
                let message = "The hold was resolved in another way";
                return Err(Fault::new(Code::HoldResolved, message).detail("status", end.how.status()));
            }
            None if by.now >= self.expires_at => return Err(self.expired()),
            None => {}
        }
        match how {
            HoldEnd::Settled { amount, .. } if amount > self.amount => {
                let message = format!("The hold is of {} credits", self.amount);
                Err(Fault::new(Code::HoldExceeded, message).detail("field", "amount").detail("limit", self.amount))
            }
            _ => Ok(Some(self.ended(how, by.idempotency_key.clone(), by.now))),
        }
    }

    /// Ends the hold that nobody has resolved in time; `None` while it may yet be, or when it was.
    pub fn time_out(&self, now: Timestamp) -> Option<Resolution> {
        let due = self.due_at().is_some_and(|due| due <= now);
        due.then(|| self.ended(HoldEnd::TimedOut, None, now))
    }

    fn ended(&self, how: HoldEnd, idempotency_key: Option<String>, now: Timestamp) -> Resolution {
        let hold = Self { end: Some(Ending { how, at: now, idempotency_key }), ..self.clone() };
        let outcome = match how {
            HoldEnd::Settled { status_code, response_ms, .. } => {
                Some(Outcome { status_code, response_ms, details: json!({}) })
            }
            _ => None,
        };
        let receipt = hold.receipt_id().map(|id| Receipt {
            id,
            key: self.key,
            environment: self.environment,
            credits: hold.used(),
            // Not when it was opened: a day's usage is summed soon after its end, and this may be later.
            at: now,
            caller: self.caller.clone(),
            fingerprint: String::new(),
            call: CallFacts { service: Some(self.service.clone()), scope: self.scope.clone(), ..CallFacts::default() },
            outcome,
        });
        let refund = how == HoldEnd::Voided(VoidReason::ProviderError);
        Resolution { used: hold.used(), hold, receipt, refund_of: refund.then(|| Day::of(now)), now }
    }

    /// Gives the credits that its end has spent.
    pub fn used(&self) -> u64 {
        match self.end.as_ref().map(|end| end.how) {
            Some(HoldEnd::Settled { amount, .. }) => amount,
            Some(HoldEnd::Voided(VoidReason::CallerError | VoidReason::RefundsSpent)) => self.amount,
            Some(HoldEnd::Voided(VoidReason::ProviderError) | HoldEnd::TimedOut) | None => 0,
        }
    }

    /// Names the receipt its end has left, if it has left one.
    fn receipt_id(&self) -> Option<ReceiptId> {
        let end = self.end.as_ref().map(|end| end.how);
        let free = matches!(end, None | Some(HoldEnd::Voided(VoidReason::ProviderError) | HoldEnd::TimedOut));
        (!free).then(|| ReceiptId::of_hold(self.id))
    }

    fn expired(&self) -> Fault {
        Fault::new(Code::HoldExpired, "The hold has run out").detail("expires_at", self.expires_at)
    }
}

/// The 404 for a hold that does not exist, or belongs to another service.
pub fn hold_not_found() -> Fault {
    Fault::not_found("Hold")
}

/// A hold that has ended, as its service is told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldView {
    /// The hold.
    pub hold_id: String,
    /// `settled` or `voided`.
    pub status: &'static str,
    /// Why it was voided: `provider_error`, `caller_error`, or `refunds_spent` when the provider failed and the key has had all
    /// the refunds of its day, so that nothing is given back; null when it was settled.
    pub reason: Option<&'static str>,
    /// Credits it was of.
    pub amount: u64,
    /// Credits that are spent.
    pub used: u64,
    /// Credits that are not held any more; what of them was of a lot that has expired is lost with it.
    pub released: u64,
    /// Receipt of what is spent; null when the job was not done and nothing is charged.
    pub receipt_id: Option<String>,
}

impl HoldView {
    /// Shows a hold.
    pub fn of(hold: &Hold) -> Self {
        let reason = |end: &Ending| match end.how {
            HoldEnd::Voided(reason) => Some(reason.name()),
            HoldEnd::Settled { .. } | HoldEnd::TimedOut => None,
        };
        Self {
            hold_id: hold.id.to_string(),
            status: hold.end.as_ref().map_or("open", |end| end.how.status()),
            reason: hold.end.as_ref().and_then(reason),
            amount: hold.amount,
            used: hold.used(),
            released: hold.amount - hold.used(),
            receipt_id: hold.receipt_id().map(|id| id.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
