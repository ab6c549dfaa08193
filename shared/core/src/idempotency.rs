//! Idempotency keys: two requests with one key are one request.

use std::time::Duration;

use crate::webhooks::{self, Source};
use crate::{Code, Fault, UserId};

/// How long a person's idempotency key is remembered.
pub const REMEMBERED: Duration = Duration::from_hours(24);

/// An idempotency key, bound to the request it was first sent with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// As the caller wrote it.
    pub key: String,
    /// Hash of everything in the request that must not differ when the key is sent again.
    pub fingerprint: String,
}

/// Whose key it is. Keys of two owners never meet, even when they are spelt alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyOwner {
    /// A person.
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

/// A request to be carried out at most once, and what its answer is made from when it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The idempotency key.
    pub key: IdempotencyKey,
    /// Whose key it is.
    pub owner: KeyOwner,
    /// Name of the function that carries the request out.
    pub operation: &'static str,
    /// What the answer to a retry is made from. It is stored, so it holds no secret.
    pub result: String,
}

/// What became of a write that may be requested twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The write was made.
    Applied,
    /// It was made by an earlier request with the same key; this is that request's `result`.
    Replayed(String),
    /// The key was used with a different request. Nothing was written.
    KeyReused,
    /// What the write was computed from has changed since it was read. Nothing was written.
    Conflict,
}

/// Returns the 422 of a key that was used with a different request.
pub fn key_reused() -> Fault {
    Fault::new(Code::IdempotencyMismatch, "Idempotency-Key was already used with a different request")
}
