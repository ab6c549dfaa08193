//! Steps of an endpoint: computed from what was read, and applied on condition that it has not changed since.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Audience, DisabledBecause, Endpoint, EndpointStatus, HookUrl};
use crate::audit::{Actor, AuditAction, AuditEntry, Origin};
use crate::events::{EndpointDisabled, Event, EventData, EventKind};
use crate::idempotency::IdempotentRequest;
use crate::keys::ChangeContext;
use crate::pacing::Rate;
use crate::{Code, Fault, Timestamp, UserId};

/// Longest grace period, during which webhooks are also signed with the previous secret.
pub const GRACE_MAX: Duration = Duration::from_hours(24 * 7);
/// Name of the service that disables endpoints, in the audit log.
const DISABLER: &str = "dispatch-webhook";

/// One change of one endpoint, with everything to write in the same transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStep {
    /// The endpoint after the step.
    pub endpoint: Endpoint,
    /// Revision from which the step was computed.
    pub seen: u64,
    /// The URL before the step, if the step changes what [`HookUrl::same`] returns. The new one must be free.
    pub left: Option<HookUrl>,
    /// Entry of the audit log; `None` for changes that deliveries cause.
    pub audit: Option<AuditEntry>,
    /// The event that announces the change.
    pub event: Option<Event>,
    /// The request with its idempotency key, for steps whose answer to a retry cannot be built from the record alone.
    pub idempotent: Option<IdempotentRequest>,
}

/// The change of an endpoint that a caller asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointPatch {
    /// The new URL, if it changes.
    pub url: Option<HookUrl>,
    /// The new events, if they change.
    pub events: Option<BTreeSet<EventKind>>,
    /// The new rate, if it changes.
    pub rate: Option<Rate>,
    /// Whether to enable it again.
    pub enable: bool,
}

impl Endpoint {
    /// Requires that only the person who registered the endpoint changes where their personal events are sent, or
    /// subscribes to more of them.
    ///
    /// # Errors
    /// `ROLE_REQUIRED` if another member's patch does so.
    pub fn require_own(&self, patch: &EndpointPatch, user: &UserId) -> Result<(), Fault> {
        let personal = |kind: &EventKind| matches!(kind.audience(), Audience::Person);
        let events = patch.events.as_ref().unwrap_or(&self.events);
        let moves = patch.url.as_ref().is_some_and(|url| *url != self.url) && events.iter().any(personal);
        let gets_more = events.difference(&self.events).any(personal);
        if *user == self.created_by || !(moves || gets_more) {
            return Ok(());
        }
        let message = "only the person who registered the endpoint can add personal events, or change url while it gets personal events";
        Err(Fault::new(Code::RoleRequired, message))
    }

    /// Changes URL, events or rate, or enables it again. Returns `None` if nothing changes.
    pub fn update(&self, patch: &EndpointPatch, by: &ChangeContext<'_>) -> Option<EndpointStep> {
        let mut endpoint = self.clone();
        let patch = patch.clone();
        endpoint.url = patch.url.unwrap_or(endpoint.url);
        endpoint.events = patch.events.unwrap_or(endpoint.events);
        endpoint.rate = patch.rate.unwrap_or(endpoint.rate);
        if patch.enable && !self.is_active() {
            endpoint.status = EndpointStatus::Active;
            endpoint.failing_since = None;
        }
        if endpoint.url != self.url {
            // Failures of the old URL do not count against the new one.
            endpoint.failing_since = None;
        }
        if endpoint == *self {
            return None;
        }
        let details = json!({
            "host": endpoint.url.host(), "events": endpoint.events.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            "rate_per_second": endpoint.rate.per_second(), "enabled": endpoint.is_active(),
        });
        Some(self.step(endpoint, AuditAction::EndpointUpdated, details, by.origin, by.now))
    }

    /// Gives it a new secret. Until the end of the grace period, webhooks are also signed with the previous one.
    ///
    /// # Errors
    /// `CONFLICT` within the grace period of the previous rotation.
    pub fn rotate(
        &self,
        grace: Duration,
        idempotent: Option<IdempotentRequest>,
        by: &ChangeContext<'_>,
    ) -> Result<EndpointStep, Fault> {
        if let Some(until) = self.previous_until.filter(|until| *until > by.now) {
            let message = format!("previous secret is valid until {until}; rotate again after that");
            return Err(Fault::new(Code::Conflict, message).detail("previous_valid_until", until));
        }
        let mut endpoint = self.clone();
        endpoint.generation += 1;
        endpoint.previous_until = Some(by.now.plus(grace));
        let details = json!({ "generation": endpoint.generation, "previous_valid_until": endpoint.previous_until });
        let step = self.step(endpoint, AuditAction::EndpointRotated, details, by.origin, by.now);
        Ok(EndpointStep { idempotent, ..step })
    }

    /// Parses a grace period in seconds.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `grace_seconds` if it is longer than 7 days.
    pub fn grace(seconds: u64) -> Result<Duration, Fault> {
        let grace = Duration::from_secs(seconds);
        let message = || format!("grace_seconds must be 0 to {}", GRACE_MAX.as_secs());
        let refuse = || Fault::field("grace_seconds", message()).detail("limit", GRACE_MAX.as_secs());
        if grace > GRACE_MAX { Err(refuse()) } else { Ok(grace) }
    }

    /// Disables it, with an event for its organisation.
    pub fn disable(&self, why: DisabledBecause, now: Timestamp) -> EndpointStep {
        let mut endpoint = self.clone();
        endpoint.status = EndpointStatus::Disabled(why, now);
        // Only the host of the URL, because the rest may contain a secret.
        let host = self.url.host();
        let disabled = EndpointDisabled { org_id: self.org, endpoint_id: self.id, host: host.to_owned(), reason: why };
        let details = json!({ "host": host, "reason": why.name(), "failing_since": self.failing_since });
        let origin = Origin { actor: Actor::Service(DISABLER.to_owned()), ip: None, user_agent: None, plan: None };
        let step = self.step(endpoint, AuditAction::EndpointDisabled, details, &origin, now);
        EndpointStep { event: Some(Event::new(now, EventData::EndpointDisabled(disabled))), ..step }
    }

    /// Records that attempts fail since `now`. Returns `None` if an earlier failure is recorded.
    pub fn note_failing(&self, now: Timestamp) -> Option<EndpointStep> {
        self.failing_since.is_none().then(|| self.failing(Some(now)))
    }

    /// Records that an attempt has succeeded. Returns `None` if no failure is recorded.
    pub fn note_working(&self) -> Option<EndpointStep> {
        self.failing_since.is_some().then(|| self.failing(None))
    }

    fn failing(&self, since: Option<Timestamp>) -> EndpointStep {
        let endpoint = Self { failing_since: since, revision: self.revision + 1, ..self.clone() };
        EndpointStep { endpoint, seen: self.revision, left: None, audit: None, event: None, idempotent: None }
    }

    fn step(
        &self,
        mut endpoint: Self,
        action: AuditAction,
        details: serde_json::Value,
        origin: &Origin,
        now: Timestamp,
    ) -> EndpointStep {
        endpoint.revision = self.revision + 1;
        let audit = Some(AuditEntry::new(self.org, action, self.id.to_string(), origin, now, details));
        let left = (endpoint.url.same() != self.url.same()).then(|| self.url.clone());
        EndpointStep { endpoint, seen: self.revision, left, audit, event: None, idempotent: None }
    }
}
