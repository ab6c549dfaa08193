//! Idempotency keys: a caller's promise that two requests are one.

use std::time::Duration;

use crate::webhooks::{self, Source};
use crate::{Code, Fault, UserId};

/// How long a person's promise is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// A caller's promise that two requests with one key are the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the caller wrote it.
    pub key: String,
    /// Hash of everything in the request that must not differ.
    pub fingerprint: String,
}

/// Who makes a promise; two callers' keys never meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Caller {
    /// A person.
    User(UserId),
    /// A sender of webhooks, whose keys are their ids.
    Sender(Source),
}

impl From<UserId> for Caller {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl Caller {
    /// Gives how long a promise to them is remembered.
    pub const fn remembered(&self) -> Duration {
        match self {
            Self::User(_) => REMEMBERED,
            Self::Sender(_) => webhooks::REMEMBERED,
        }
    }
}

/// A request that is carried out once, and what its answer is made from when it comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The promise.
    pub key: IdempotencyKey,
    /// Who made it.
    pub caller: Caller,
    /// For which operation: the function's name.
    pub operation: &'static str,
    /// What the answer is made from. No secret.
    pub result: String,
}

/// What became of a write that may be asked for twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was made.
    Now,
    /// It was made before; this is its `result`.
    Before(String),
    /// The key stands for another request.
    Mismatch,
    /// What it was computed from has changed since; nothing was written.
    Moved,
}

/// Makes the 422 of a key that stands for another request.
pub fn mismatch() -> Fault {
    Fault::new(Code::IdempotencyMismatch, "This Idempotency-Key stands for another request")
}
