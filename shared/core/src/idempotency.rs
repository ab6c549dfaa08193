//! Idempotency keys: two requests with the same key are carried out once.

use std::time::Duration;

use crate::webhooks::{self, Source};
use crate::{Code, Fault, UserId};

/// How long a person's idempotency key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// An idempotency key, bound to the request it was first sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key as the caller sent it.
    pub key: String,
    /// Hash of everything in the request that must be the same when the key is sent again.
    pub fingerprint: String,
}

/// Whose key it is. Equal keys of two owners are different keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOwner {
    /// A person, by their id.
    User(UserId),
    /// A sender of webhooks, whose keys are the ids of its webhooks.
    Sender(Source),
}

impl From<UserId> for KeyOwner {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl KeyOwner {
    /// Returns the owner's name, which is unique among owners of the same kind.
    pub fn name(&self) -> &str {
        match self {
            Self::User(user) => user.as_str(),
            Self::Sender(source) => source.name(),
        }
    }

    /// Returns how long a key of this owner is remembered.
    pub const fn remembered(&self) -> Duration {
        match self {
            Self::User(_) => REMEMBERED,
            Self::Sender(_) => webhooks::REMEMBERED,
        }
    }
}

/// A request that must be carried out at most once, with the stored result from which a retry is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The key, bound to its request.
    pub key: IdempotencyKey,
    /// Whose key it is.
    pub owner: KeyOwner,
    /// Name of the function that carries the request out.
    pub operation: &'static str,
    /// The text from which the answer to a retry is built. It is stored, so it must not contain a secret.
    pub result: String,
}

/// The outcome of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum CommitOutcome {
    /// It was written.
    Committed,
    /// What the write was computed from has changed since it was read. Nothing was written.
    Conflict,
}

impl CommitOutcome {
    /// Returns `Committed` if the write's condition held, else `Conflict`.
    pub fn of(held: bool) -> Self {
        if held { Self::Committed } else { Self::Conflict }
    }

    /// Returns whether it was written.
    pub fn is_committed(self) -> bool {
        self == Self::Committed
    }
}

/// The outcome of a write that may be requested twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The write was made.
    Applied,
    /// An earlier request with the same key made the write. This is its `result`.
    Replayed(String),
    /// The key was used with a different request. Nothing was written.
    KeyReused,
    /// What the write was computed from has changed since it was read. Nothing was written.
    Conflict,
}

/// Returns the 422 for an idempotency key that was used with a different request.
pub fn key_reused() -> Fault {
    Fault::new(Code::IdempotencyMismatch, "Idempotency-Key was already used with a different request")
}
