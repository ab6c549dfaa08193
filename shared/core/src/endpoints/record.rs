//! An endpoint, as it is kept.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HookUrl, offered};
use crate::audit::AuditEntry;
use crate::events::EventKind;
use crate::idempotency::IdempotentRequest;
use crate::pacing::Rate;
use crate::{Code, EndpointId, Fault, OrgId, Timestamp, UserId};

/// Most endpoints of an organisation.
pub const ENDPOINTS_MAX: u32 = 20;
/// For how long an endpoint may fail, without a success between, before it is disabled.
pub const FAILING_MAX: Duration = Duration::from_hours(24 * 7);

/// Why an endpoint gets no more webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DisabledBecause {
    /// It answered that it is gone.
    Gone,
    /// It has failed for a week.
    Failing,
}

impl DisabledBecause {
    /// Gives the reason's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gone, Self::Failing].into_iter().find(|why| why.name() == name)
    }
}

/// Whether an endpoint gets webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It does.
    Active,
    /// It does not, since then, until somebody enables it again.
    Disabled(DisabledBecause, Timestamp),
}

/// An address of an organisation's that takes webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose.
    pub org: OrgId,
    /// Its id.
    pub id: EndpointId,
    /// Where it is.
    pub url: HookUrl,
    /// What it hears of.
    pub events: BTreeSet<EventKind>,
    /// How fast it is called.
    pub rate: Rate,
    /// Whether it is called at all.
    pub status: EndpointStatus,
    /// Which secret signs: the first, or as many rotations later. The secret itself follows from this under the
    /// installation's, and is kept nowhere.
    pub generation: u32,
    /// Until when the secret before signs too.
    pub previous_until: Option<Timestamp>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    /// Who registered it; of their own matters it hears, and of no other person's.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Counts its changes.
    pub revision: u64,
}

impl Endpoint {
    /// Says whether it gets webhooks.
    pub fn is_active(&self) -> bool {
        self.status == EndpointStatus::Active
    }

    /// Says whether it is told of events of a kind.
    pub fn hears(&self, kind: EventKind) -> bool {
        self.is_active() && self.events.contains(&kind)
    }

    /// Gives the generations whose secrets sign at a time, the newest first.
    pub fn signing(&self, now: Timestamp) -> Vec<u32> {
        let previous = self.previous_until.filter(|until| *until > now).map(|_| self.generation - 1);
        std::iter::once(self.generation).chain(previous).collect()
    }
}

/// An endpoint to be: with its creator's pointer and audit entry, all or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Entry of the audit trail.
    pub audit: AuditEntry,
    /// The caller's promise, if any.
    pub idempotent: Option<IdempotentRequest>,
}

/// Reads which events an endpoint is to hear of.
///
/// # Errors
/// `INVALID_REQUEST` naming `events`, with those there are.
pub fn events_of(names: &[String]) -> Result<BTreeSet<EventKind>, Fault> {
    let known = || offered().into_iter().map(EventKind::name).collect::<Vec<_>>();
    let refuse = |message: String| Fault::field("events", message).detail("known", known());
    if names.is_empty() {
        return Err(refuse("events must name at least one event".to_owned()));
    }
    let read = |name: &String| {
        let kind = offered().into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| {
            refuse(format!("events names something that endpoints are not told of; there are {}", known().join(", ")))
        })
    };
    names.iter().map(read).collect()
}

/// Reads the id of an endpoint out of a path; whatever is none cannot be found.
pub fn endpoint_in_path(text: &str) -> Result<EndpointId, Fault> {
    EndpointId::parse(text).ok_or_else(endpoint_not_found)
}

/// Makes the one 404 of endpoints: unknown, deleted and other organisations' ones.
pub fn endpoint_not_found() -> Fault {
    Fault::not_found("Endpoint")
}

/// Makes the 409 of an organisation that has as many endpoints as it may.
pub fn too_many_endpoints() -> Fault {
    let message = format!("An organisation may have {ENDPOINTS_MAX} endpoints; delete one first");
    Fault::new(Code::Conflict, message).detail("limit", ENDPOINTS_MAX)
}
