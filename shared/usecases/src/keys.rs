//! Changes an API key.

use consigne_core::idempotency::{WriteOutcome, key_reused};
use consigne_core::keys::{ApiKey, KeyStep};
use consigne_core::orgs::key_not_found;
use consigne_core::ports::{ChangeKey, GetKey};
use consigne_core::{Fault, KeyId, OrgId};

use crate::ConflictRetry;

/// The outcome of a change of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    /// The key as it is now: changed, or unchanged if there was nothing to change.
    Applied(Box<ApiKey>),
    /// An earlier try of the request made the change. This is its recorded `result`.
    Replayed(String),
}

impl Changed {
    /// Returns the key after a step without an idempotency key.
    ///
    /// # Errors
    /// `INTERNAL` if the step was replayed, which is impossible without an idempotency key.
    pub fn key(self) -> Result<ApiKey, Fault> {
        match self {
            Self::Applied(key) => Ok(*key),
            Self::Replayed(_) => Err(Fault::internal("a step without an idempotency key was replayed")),
        }
    }
}

/// Reads a key and writes the step that `step` computes from it. If `step` returns `None`, nothing is written.
///
/// # Errors
/// `NOT_FOUND` if the organisation has no such key; those of `step`; `IDEMPOTENCY_MISMATCH` if the idempotency key was
/// used with a different request; `UNAVAILABLE` if the key keeps changing.
pub async fn change<F: GetKey + ChangeKey>(
    keys: &F,
    org: OrgId,
    id: KeyId,
    step: impl Fn(&ApiKey) -> Result<Option<KeyStep>, Fault>,
) -> Result<Changed, Fault> {
    let mut retry = ConflictRetry::of("the key");
    loop {
        let key = keys.get_key(org, id).await?.ok_or_else(key_not_found)?;
        let Some(step) = step(&key)? else { return Ok(Changed::Applied(Box::new(key))) };
        match keys.change_key(&step).await? {
            WriteOutcome::Applied => return Ok(Changed::Applied(Box::new(step.key))),
            WriteOutcome::Replayed(result) => return Ok(Changed::Replayed(result)),
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => retry.wait().await?,
        }
    }
}
