//! Receipts: one for each charge, found again by whoever asks for the same charge twice; together they are the usage log.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::ReceiptId;
use crate::keys::KeyMode;
use crate::{Fault, KeyId, Timestamp};

/// How long receipts are kept.
pub const RECEIPT_KEPT: Duration = Duration::from_hours(24 * 400);
/// Longest time a call may be said to have taken: a day, in milliseconds.
const RESPONSE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// What the caller tells of the call that is paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct CallFacts {
    pub service: Option<String>,
    pub scope: Option<String>,
    pub endpoint: Option<String>,
    pub method: Option<String>,
    pub ip: Option<String>,
    pub country: Option<String>,
    pub user_agent: Option<String>,
}

/// How the call that was paid for went, as its service told.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// HTTP status the service answered.
    pub status_code: u16,
    /// How long it took, in milliseconds.
    pub response_ms: u64,
    /// Whatever else it tells, a JSON object.
    pub details: Value,
}

impl Outcome {
    /// Makes an outcome out of what a service tells.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `status_code` or `response_ms`.
    pub fn told(status_code: u16, response_ms: u64, details: Value) -> Result<Self, Fault> {
        if !(100..=599).contains(&status_code) {
            return Err(Fault::field("status_code", "status_code must be 100 to 599"));
        }
        if response_ms > RESPONSE_MS_MAX {
            return Err(Fault::field("response_ms", "response_ms must be at most a day"));
        }
        Ok(Self { status_code, response_ms, details })
    }
}

/// A receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its name.
    pub id: ReceiptId,
    /// The key that was charged.
    pub key: KeyId,
    /// What the key spends.
    pub environment: KeyMode,
    /// Credits charged.
    pub credits: u64,
    /// When the call was admitted.
    pub at: Timestamp,
    /// Which service asked for the check.
    pub caller: String,
    /// Hash of what was asked; the same idempotency key with another one is another request.
    pub fingerprint: String,
    /// The call.
    pub call: CallFacts,
    /// How it went, once told.
    pub outcome: Option<Outcome>,
}

/// What became of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKept {
    /// It stands on the receipt, now or since an earlier time.
    Kept,
    /// Another one stands there.
    Other,
    /// There is no such receipt of this caller.
    Unknown,
}
