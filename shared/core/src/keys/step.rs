//! Steps of a key: computed from what was read, and applied on condition that it has not changed since.

use std::time::Duration;

use serde_json::json;

use super::{ApiKey, KeyPatch, KeyStatus, Pointer};
use crate::audit::{AuditAction, AuditEntry, Origin};
use crate::events::{Event, EventData, KeyEvent};
use crate::idempotency::IdempotentRequest;
use crate::orgs::key_not_found;
use crate::{Code, Fault, Timestamp, text};

/// Longest reason, in characters.
pub const REASON_MAX: usize = 200;
/// Longest grace period of a rotation.
pub const GRACE_MAX: Duration = Duration::from_hours(24 * 30);
/// Longest grace period of a text that comes from an older installation.
const LEGACY_GRACE: Duration = Duration::from_hours(24);

/// One change of one key, with everything to write in the same transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyStep {
    /// The key after the step. Its `used`, `minute` and `last_used` are not written, because charges write them.
    pub key: ApiKey,
    /// The condition on the key under which the step is written.
    pub guard: KeyGuard,
    /// The pointer of the new text, if the step is a rotation.
    pub pointer: Option<Pointer>,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The event that announces the change.
    pub event: Option<Event>,
    /// The request with its idempotency key, for steps whose answer to a retry cannot be built from the record alone.
    pub idempotent: Option<IdempotentRequest>,
}

/// The condition on a key under which a step is written. If it fails, the key is read and the step computed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyGuard {
    /// The key still has this revision. The step writes all fields that people can change.
    Revision(u64),
    /// The key has one of these statuses; its other fields may have changed. The step writes only the status and the
    /// revocation. So concurrent changes, of the name for example, cannot delay a revocation.
    Status(&'static [KeyStatus]),
}

/// Who makes a change, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeContext<'a> {
    /// Who makes it, and from which address.
    pub origin: &'a Origin,
    /// The time of the request.
    pub now: Timestamp,
}

impl ApiKey {
    /// Changes name, scopes, quotas or expiry. Returns `None` if nothing changes.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key is deleted; `CONFLICT` if it is revoked or suspended.
    pub fn update(&self, patch: &KeyPatch, by: &ChangeContext<'_>) -> Result<Option<KeyStep>, Fault> {
        self.require_active()?;
        let mut key = self.clone();
        let patch = patch.clone();
        key.name = patch.name.unwrap_or(key.name);
        key.scopes = patch.scopes.unwrap_or(key.scopes);
        key.minute_quota = patch.minute_quota.unwrap_or(key.minute_quota);
        key.daily_quota = patch.daily_quota.unwrap_or(key.daily_quota);
        key.monthly_quota = patch.monthly_quota.unwrap_or(key.monthly_quota);
        key.expires_at = patch.expires_at.unwrap_or(key.expires_at);
        if key == *self {
            return Ok(None);
        }
        let details = json!({
            "name": key.name, "scopes": key.scopes, "minute_quota": key.minute_quota, "daily_quota": key.daily_quota,
            "monthly_quota": key.monthly_quota, "expires_at": key.expires_at,
        });
        Ok(Some(self.step(key, AuditAction::KeyUpdated, details, None, by)))
    }

    /// Gives the key a new text. The previous one is accepted for a grace period.
    ///
    /// Quotas and counters belong to the key, not to its text, so both texts share them. A text of an older
    /// installation is accepted for at most one more day.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key is deleted; `CONFLICT` if it is revoked, suspended or expired, or within the grace period
    /// of the previous rotation.
    pub fn rotate(
        &self,
        pointer: Pointer,
        hint: &str,
        grace: Duration,
        idempotent: Option<IdempotentRequest>,
        by: &ChangeContext<'_>,
    ) -> Result<KeyStep, Fault> {
        self.require_active()?;
        if self.expires_at.is_some_and(|end| end <= by.now) {
            return Err(Fault::new(Code::Conflict, "key has expired and cannot be rotated; issue another one"));
        }
        if let Some(until) = self.previous_until.filter(|until| *until > by.now) {
            return Err(Fault::new(
                Code::Conflict,
                format!("previous text is valid until {until}; rotate again after that"),
            )
            .detail("previous_valid_until", until));
        }
        let mut key = self.clone();
        key.generation += 1;
        let most = if self.is_legacy() { LEGACY_GRACE } else { grace };
        key.previous_until = Some(by.now.plus(grace.min(most)));
        hint.clone_into(&mut key.hint);
        let details = json!({ "generation": key.generation, "previous_valid_until": key.previous_until });
        let mut step = self.step(key, AuditAction::KeyRotated, details, Some(EventData::KeyRotated), by);
        step.pointer = Some(pointer);
        step.idempotent = idempotent;
        Ok(step)
    }

    /// Revokes the key for good. Returns `None` if it was revoked before; the first reason and time stay.
    ///
    /// # Errors
    /// `NOT_FOUND` if the key is deleted; `INVALID_REQUEST` naming `reason` if that is empty or too long.
    pub fn revoke(&self, reason: &str, by: &ChangeContext<'_>) -> Result<Option<KeyStep>, Fault> {
        let reason = text::label("reason", reason, REASON_MAX)?;
        match self.status {
            KeyStatus::Deleted => return Err(key_not_found()),
            KeyStatus::Revoked => return Ok(None),
            KeyStatus::Active | KeyStatus::Suspended => {}
        }
        let mut key = self.clone();
        key.status = KeyStatus::Revoked;
        key.revoked = Some((by.origin.actor.clone(), by.now, reason.clone()));
        let details = json!({ "reason": reason });
        let step = self.step(key, AuditAction::KeyRevoked, details, Some(EventData::KeyRevoked), by);
        let guard = KeyGuard::Status(&[KeyStatus::Active, KeyStatus::Suspended]);
        Ok(Some(KeyStep { guard, ..step }))
    }

    /// Suspends the key until it is resumed. Returns `None` if it is not active.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `reason` if that is empty or too long.
    pub fn suspend(&self, reason: &str, by: &ChangeContext<'_>) -> Result<Option<KeyStep>, Fault> {
        self.turn(KeyStatus::Active, KeyStatus::Suspended, AuditAction::KeySuspended, reason, by)
    }

    /// Resumes a suspended key. Returns `None` if it is not suspended.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `reason` if that is empty or too long.
    pub fn resume(&self, reason: &str, by: &ChangeContext<'_>) -> Result<Option<KeyStep>, Fault> {
        self.turn(KeyStatus::Suspended, KeyStatus::Active, AuditAction::KeyResumed, reason, by)
    }

    /// Changes the status from `from` to `to`. Returns `None` if the key has another status.
    fn turn(
        &self,
        from: KeyStatus,
        to: KeyStatus,
        action: AuditAction,
        reason: &str,
        by: &ChangeContext<'_>,
    ) -> Result<Option<KeyStep>, Fault> {
        let reason = text::label("reason", reason, REASON_MAX)?;
        if self.status != from {
            return Ok(None);
        }
        let key = Self { status: to, ..self.clone() };
        Ok(Some(self.step(key, action, json!({ "reason": reason }), None, by)))
    }

    /// Deletes the key. Its record is kept for the audit log.
    ///
    /// # Errors
    /// `NOT_FOUND` if it was deleted before.
    pub fn delete(&self, by: &ChangeContext<'_>) -> Result<KeyStep, Fault> {
        if self.status == KeyStatus::Deleted {
            return Err(key_not_found());
        }
        let mut key = self.clone();
        key.status = KeyStatus::Deleted;
        let step = self.step(key, AuditAction::KeyDeleted, json!({}), Some(EventData::KeyDeleted), by);
        let guard = KeyGuard::Status(&[KeyStatus::Active, KeyStatus::Suspended, KeyStatus::Revoked]);
        Ok(KeyStep { guard, ..step })
    }

    /// Parses a grace period in seconds.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `grace_seconds` if it is longer than 30 days.
    pub fn grace(seconds: u64) -> Result<Duration, Fault> {
        let grace = Duration::from_secs(seconds);
        if grace > GRACE_MAX {
            let most = GRACE_MAX.as_secs();
            return Err(
                Fault::field("grace_seconds", format!("grace_seconds must be 0 to {most}")).detail("limit", most)
            );
        }
        Ok(grace)
    }

    fn require_active(&self) -> Result<(), Fault> {
        match self.status {
            KeyStatus::Deleted => Err(key_not_found()),
            KeyStatus::Revoked => {
                Err(Fault::new(Code::Conflict, "key is revoked and cannot be changed; issue another one"))
            }
            KeyStatus::Suspended => Err(Fault::new(Code::Conflict, "key is suspended; ask the operator to resume it")),
            KeyStatus::Active => Ok(()),
        }
    }

    fn step(
        &self,
        key: ApiKey,
        action: AuditAction,
        details: serde_json::Value,
        event: Option<fn(KeyEvent) -> EventData>,
        by: &ChangeContext<'_>,
    ) -> KeyStep {
        KeyStep {
            audit: AuditEntry::new(key.org, action, key.id.to_string(), by.origin, by.now, details),
            event: event.map(|event| Event::new(by.now, event(KeyEvent::of(&key, &by.origin.actor)))),
            key: ApiKey { revision: self.revision + 1, ..key },
            guard: KeyGuard::Revision(self.revision),
            pointer: None,
            idempotent: None,
        }
    }
}
