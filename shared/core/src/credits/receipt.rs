//! Receipts: one for each charge, which also answers a retry of the charge. Together they are the usage log.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::ReceiptId;
use crate::keys::KeyMode;
use crate::{Fault, KeyId, Timestamp};

/// How long receipts are kept.
pub const RECEIPT_KEPT: Duration = Duration::from_hours(24 * 400);
/// Longest response time that can be reported: a day, in milliseconds.
pub const RESPONSE_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Smallest and largest HTTP status that can be reported.
pub const STATUS_CODES: RangeInclusive<u16> = 100..=599;

/// What the caller reports about the call for which it charges.
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

/// The outcome of the charged call, as its service reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// HTTP status of the service's answer.
    pub status_code: u16,
    /// Response time, in milliseconds.
    pub response_ms: u64,
    /// Further details, a JSON object.
    pub details: Value,
}

impl Outcome {
    /// Builds an outcome from a service's report.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `status_code` unless it is 100 to 599, or `response_ms` if it is more than a day.
    pub fn reported(status_code: u16, response_ms: u64, details: Value) -> Result<Self, Fault> {
        if !STATUS_CODES.contains(&status_code) {
            return Err(Fault::field("status_code", "status_code must be 100 to 599"));
        }
        if response_ms > RESPONSE_MS_MAX {
            return Err(Fault::field("response_ms", format!("response_ms must be at most {RESPONSE_MS_MAX} (a day)")));
        }
        Ok(Self { status_code, response_ms, details })
    }
}

/// The record of one charge.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Id of the receipt.
    pub id: ReceiptId,
    /// The key that was charged.
    pub key: KeyId,
    /// Whether that key is for production or for tests.
    pub environment: KeyMode,
    /// Credits charged for the call.
    pub credits: u64,
    /// When the call was admitted. For a settled or voided hold: when the hold ended.
    pub at: Timestamp,
    /// The service that requested the charge.
    pub caller: String,
    /// Hash of the request. The same idempotency key with another hash is a different request.
    pub fingerprint: String,
    /// What the caller reported about the call.
    pub call: CallFacts,
    /// The outcome of the call; `None` until it is reported.
    pub outcome: Option<Outcome>,
}

/// The result of recording an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeKept {
    /// The receipt has this outcome, written now or before.
    Kept,
    /// The receipt has another outcome.
    Other,
    /// The caller has no such receipt.
    Unknown,
}
