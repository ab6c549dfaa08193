//! Holds: credits reserved for a job whose cost is known only at its end. A hold is resolved at most once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{CallFacts, HoldId, Outcome, Receipt, ReceiptId, WalletId};
use crate::idempotency::key_reused;
use crate::keys::KeyMode;
use crate::periods::Day;
use crate::{Code, Fault, KeyId, Timestamp};

/// How long `sweep` waits after a hold's expiry before it releases the hold. A server whose clock is behind may still
/// admit a resolution.
pub const HOLD_MARGIN: Duration = Duration::from_mins(1);
/// How many holds of a key are refunded in a day (UTC) because the provider failed. Further holds are charged.
pub const REFUNDS_A_DAY: u32 = 100;

/// A hold of credits.
#[derive(Clone, Debug, PartialEq)]
pub struct Hold {
    /// Id of the hold.
    pub id: HoldId,
    /// The key it was opened with.
    pub key: KeyId,
    /// Whether that key is for production or for tests.
    pub environment: KeyMode,
    /// The wallet that pays, even if the key has another wallet since.
    pub wallet: WalletId,
    /// The wallet's expiry epoch in which it was opened.
    pub expiry_epoch: u32,
    /// Credits that it reserves.
    pub amount: u64,
    /// Service of the catalogue that is paid.
    pub service: String,
    /// Scope the call needed, if it named one.
    pub scope: Option<String>,
    /// The service that opened it. No other service may resolve it.
    pub caller: String,
    /// Hash of the request; empty without an idempotency key.
    pub fingerprint: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it expires. It must be resolved before.
    pub expires_at: Timestamp,
    /// How it ended; `None` while it is open.
    pub end: Option<Ending>,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The way it ended.
    pub how: HoldEnd,
    /// When it was ended.
    pub at: Timestamp,
    /// The idempotency key it was resolved with, if there was one.
    pub idempotency_key: Option<String>,
}

/// The ways a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// The job was done. Some or all of the credits are spent.
    #[allow(missing_docs)]
    Settled { amount: u64, status_code: u16, response_ms: u64 },
    /// The job was not done.
    Voided(VoidReason),
    /// No service resolved the hold in time.
    TimedOut,
}

/// Why a job was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoidReason {
    /// The provider failed. All credits are given back, for the first [`REFUNDS_A_DAY`] such holds of a day.
    ProviderError,
    /// The provider failed, but the key has had all refunds of the day. Nothing is given back.
    RefundsSpent,
    /// The caller asked for something that cannot be done. Nothing is given back.
    CallerError,
}

impl VoidReason {
    /// Returns the reason's name in the API and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProviderError => "provider_error",
            Self::RefundsSpent => "refunds_spent",
            Self::CallerError => "caller_error",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ProviderError, Self::RefundsSpent, Self::CallerError].into_iter().find(|reason| reason.name() == name)
    }
}

impl HoldEnd {
    /// Returns the name of the status of a hold that ended this way.
    pub const fn status(self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::Voided(_) => "voided",
            Self::TimedOut => "timed_out",
        }
    }

    /// Returns the end that the service asked for when the hold ended this way. No service asks for
    /// [`VoidReason::RefundsSpent`]; it asked for [`VoidReason::ProviderError`].
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
    /// The service that resolves it.
    pub caller: String,
    /// Its idempotency key, if it sent one.
    pub idempotency_key: Option<String>,
    /// The time of the request.
    pub now: Timestamp,
}

/// The step that ends a hold, with everything to write in the same transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The hold after the step.
    pub hold: Hold,
    /// Credits that are spent. The rest is released.
    pub used: u64,
    /// The receipt for the usage log. `None` if the job was not done and nothing is charged.
    pub receipt: Option<Receipt>,
    /// For a refund, the day whose limit it counts towards.
    pub refund_of: Option<Day>,
    /// The time of the step.
    pub now: Timestamp,
}

/// The outcome of a resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolutionOutcome {
    /// The hold has ended as requested.
    Resolved,
    /// The hold has ended in another way since it was read. Nothing was changed.
    Conflict,
    /// The key has had all refunds of the day. Nothing was changed.
    NoMoreRefunds,
}

impl Hold {
    /// Parses a hold's id in a path.
    ///
    /// # Errors
    /// `NOT_FOUND` if the text is not an id, as for a hold that does not exist.
    pub fn id_in_path(text: &str) -> Result<HoldId, Fault> {
        HoldId::parse(text).ok_or_else(hold_not_found)
    }

    /// Returns when `sweep` releases the hold, or `None` if it has ended.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.end.is_none().then(|| self.expires_at.plus(HOLD_MARGIN))
    }

    /// Returns the step that ends the hold as its service asks, or `None` if it has already ended that way.
    ///
    /// # Errors
    /// `NOT_FOUND` if another service opened it; `HOLD_EXPIRED` if it has expired; `HOLD_RESOLVED` if it has ended in
    /// another way, or `IDEMPOTENCY_MISMATCH` if the same idempotency key did that; `HOLD_EXCEEDED` if more than its
    /// amount is to be settled.
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
                let message = format!("hold is already {}; its end cannot be changed", end.how.status());
                return Err(Fault::new(Code::HoldResolved, message).detail("status", end.how.status()));
            }
            None if by.now >= self.expires_at => return Err(self.expired()),
            None => {}
        }
        match how {
            HoldEnd::Settled { amount, .. } if amount > self.amount => {
                let message = format!("amount exceeds the {} credits held", self.amount);
                Err(Fault::new(Code::HoldExceeded, message).detail("field", "amount").detail("limit", self.amount))
            }
            _ => Ok(Some(self.ended(how, by.idempotency_key.clone(), by.now))),
        }
    }

    /// Returns the step that releases a hold that was not resolved in time. Returns `None` if it has ended, or if
    /// [`HOLD_MARGIN`] has not passed since its expiry.
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
            // Not `opened_at`: a day's usage is summed soon after the day ends, and this may be later.
            at: now,
            caller: self.caller.clone(),
            fingerprint: String::new(),
            call: CallFacts { service: Some(self.service.clone()), scope: self.scope.clone(), ..CallFacts::default() },
            outcome,
        });
        let refund = how == HoldEnd::Voided(VoidReason::ProviderError);
        Resolution { used: hold.used(), hold, receipt, refund_of: refund.then(|| Day::of(now)), now }
    }

    /// Returns the credits that the end has spent; 0 while the hold is open.
    pub fn used(&self) -> u64 {
        match self.end.as_ref().map(|end| end.how) {
            Some(HoldEnd::Settled { amount, .. }) => amount,
            Some(HoldEnd::Voided(VoidReason::CallerError | VoidReason::RefundsSpent)) => self.amount,
            Some(HoldEnd::Voided(VoidReason::ProviderError) | HoldEnd::TimedOut) | None => 0,
        }
    }

    /// Returns the id of the receipt that the end has written, if it has written one.
    fn receipt_id(&self) -> Option<ReceiptId> {
        let end = self.end.as_ref().map(|end| end.how);
        let free = matches!(end, None | Some(HoldEnd::Voided(VoidReason::ProviderError) | HoldEnd::TimedOut));
        (!free).then(|| ReceiptId::of_hold(self.id))
    }

    fn expired(&self) -> Fault {
        let message = format!("hold expired at {}; open another one", self.expires_at);
        Fault::new(Code::HoldExpired, message).detail("expires_at", self.expires_at)
    }
}

/// Returns the 404 for a hold that does not exist or belongs to another service.
pub fn hold_not_found() -> Fault {
    Fault::not_found("Hold")
}

/// A hold that has ended, as its service sees it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HoldView {
    /// Id of the hold.
    pub hold_id: String,
    /// Status: `settled` or `voided`.
    #[schemars(extend("enum" = ["settled", "voided"]))]
    pub status: &'static str,
    /// Why it was voided; null if it was settled. With `refunds_spent` the provider failed after the key had had all
    /// refunds of the day, so nothing is given back.
    #[schemars(extend("enum" = ["provider_error", "caller_error", "refunds_spent"]))]
    pub reason: Option<&'static str>,
    /// Credits that were reserved.
    pub amount: u64,
    /// Credits that are spent.
    pub used: u64,
    /// Credits that are no longer reserved. Those of a lot that has expired are lost and not given back.
    pub released: u64,
    /// Receipt of the credits that are spent; null if the job was not done and nothing is charged.
    pub receipt_id: Option<String>,
}

impl HoldView {
    /// Builds the view of a hold.
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
