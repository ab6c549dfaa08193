//! Receipts: one for each charge, found again by whoever asks for the same charge twice; together they are the usage log.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::keys::Environment;
use crate::{KeyId, OrgId, Timestamp};

/// How long receipts are kept.
pub const RECEIPT_KEPT: Duration = Duration::from_hours(24 * 400);

const PREFIX: &str = "rcpt_";

/// Names a receipt: its organisation, and 128 bits that are random or follow from the caller's idempotency key.
///
/// That the second request with one idempotency key finds the receipt of the first, without a look-up of its own, is what
/// makes a charge happen once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId {
    org: OrgId,
    tail: Ulid,
}

impl ReceiptId {
    /// Names the receipt of a service's request with an idempotency key. Two services' keys never meet.
    pub fn for_key(org: OrgId, caller: &str, idempotency_key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [&org.to_string(), caller, idempotency_key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut tail = [0; 16];
        tail.copy_from_slice(&digest[..16]);
        Self { org, tail: Ulid::from_bytes(tail) }
    }

    /// Names a receipt nobody will ask for again.
    pub fn fresh(org: OrgId, now: Timestamp) -> Self {
        // A new id is 128 bits that have not been before; hashed, it keeps receipts evenly spread.
        Self::for_key(org, "", &crate::EventId::mint(now).to_string())
    }

    /// Parses `rcpt_`, the organisation and the rest, as [`fmt::Display`] writes them.
    pub fn parse(text: &str) -> Option<Self> {
        let (org, tail) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let id = Self { org: OrgId::parse(&format!("org_{org}"))?, tail: Ulid::from_string(tail).ok()? };
        (id.to_string() == text).then_some(id)
    }

    /// Gives the organisation whose receipt it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Gives what tells it from the organisation's other receipts.
    pub fn tail(&self) -> String {
        self.tail.to_string()
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let org = self.org.to_string();
        write!(f, "{PREFIX}{}_{}", org.trim_start_matches("org_"), self.tail)
    }
}

impl Serialize for ReceiptId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

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

/// A receipt.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Its name.
    pub id: ReceiptId,
    /// The key that was charged.
    pub key: KeyId,
    /// What the key spends.
    pub environment: Environment,
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
