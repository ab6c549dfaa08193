//! The record of an endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HookUrl, offered, offered_names};
use crate::audit::AuditEntry;
use crate::events::EventKind;
use crate::idempotency::IdempotentRequest;
use crate::pacing::Rate;
use crate::{Code, EndpointId, Fault, OrgId, Timestamp, UserId, text};

/// How much of an unknown event's name an error message repeats, in characters.
const NAME_SHOWN: usize = 64;
/// Most endpoints of an organisation.
pub const ENDPOINTS_MAX: u32 = 20;
/// How long an endpoint may fail without a success before it is disabled.
pub const FAILING_MAX: Duration = Duration::from_hours(24 * 7);

/// How long an endpoint may fail before it is called less often.
pub const FAILING_GRACE: Duration = Duration::from_mins(1);
/// Shortest time between two calls of an endpoint that has failed for longer than [`FAILING_GRACE`]. It is as long as a
/// call may take, so an endpoint that never answers occupies about one slot.
pub const FAILING_INTERVAL: Duration = Duration::from_secs(10);

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DisabledBecause {
    /// It answered 410, which means gone for good.
    Gone,
    /// It has failed for a week.
    Failing,
}

impl DisabledBecause {
    /// Returns the reason's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gone, Self::Failing].into_iter().find(|why| why.name() == name)
    }
}

/// Whether an endpoint gets webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointStatus {
    /// It gets webhooks for its events.
    Active,
    /// It gets none since this time, until a member enables it again.
    Disabled(DisabledBecause, Timestamp),
}

/// An organisation's webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The organisation whose events it gets.
    pub org: OrgId,
    /// Its id, `ep_...`.
    pub id: EndpointId,
    /// The URL to which webhooks are sent.
    pub url: HookUrl,
    /// The events it subscribes to.
    pub events: BTreeSet<EventKind>,
    /// How fast it may be called.
    pub rate: Rate,
    /// Whether it gets webhooks.
    pub status: EndpointStatus,
    /// Number of its current signing secret. The first is 1 and each rotation adds one. The secret itself is derived
    /// from this number and the installation's secret, and is not stored.
    pub generation: u32,
    /// Until when webhooks are also signed with the previous secret.
    pub previous_until: Option<Timestamp>,
    /// Since when every attempt has failed; `None` if the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// The member who registered it. It gets the personal events of this member and of nobody else.
    pub created_by: UserId,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Number of changes of the record.
    pub revision: u64,
}

impl Endpoint {
    /// Returns whether it gets webhooks.
    pub fn is_active(&self) -> bool {
        self.status == EndpointStatus::Active
    }

    /// Returns whether it gets events of a kind.
    pub fn gets(&self, kind: EventKind) -> bool {
        self.is_active() && self.events.contains(&kind)
    }

    /// Returns the shortest time between two calls: that of its rate, and [`FAILING_INTERVAL`] while it fails.
    pub fn interval(&self, now: Timestamp) -> Duration {
        let failing = self.failing_since.is_some_and(|since| now.since(since) >= FAILING_GRACE);
        if failing { FAILING_INTERVAL.max(self.rate.interval()) } else { self.rate.interval() }
    }

    /// Returns the generations of the secrets that sign webhooks at a time, the newest first.
    pub fn signing(&self, now: Timestamp) -> Vec<u32> {
        let previous = self.previous_until.filter(|until| *until > now).map(|_| self.generation - 1);
        std::iter::once(self.generation).chain(previous).collect()
    }
}

/// An endpoint to create. Its record, its creator's pointer and its audit entry are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEndpoint {
    /// The endpoint to record.
    pub endpoint: Endpoint,
    /// Entry of the audit log.
    pub audit: AuditEntry,
    /// The request with its idempotency key, if there is one.
    pub idempotent: Option<IdempotentRequest>,
}

/// Parses the events to which an endpoint subscribes.
///
/// # Errors
/// `INVALID_REQUEST` naming `events`, with all known events, if the list is empty or has an unknown one.
pub fn events_of(names: &[String]) -> Result<BTreeSet<EventKind>, Fault> {
    let known = offered_names;
    let refuse = |message: String| Fault::field("events", message).detail("known", known());
    if names.is_empty() {
        return Err(refuse("events must name at least one event".to_owned()));
    }
    let read = |name: &String| {
        let kind = offered().into_iter().find(|kind| kind.name() == name);
        let unknown = || {
            refuse(format!(
                "unknown event `{}`; the known events are {}",
                text::cut(name, NAME_SHOWN),
                known().join(", ")
            ))
        };
        kind.ok_or_else(unknown)
    };
    names.iter().map(read).collect()
}

/// Parses an endpoint's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for an endpoint that does not exist.
pub fn endpoint_in_path(text: &str) -> Result<EndpointId, Fault> {
    EndpointId::parse(text).ok_or_else(endpoint_not_found)
}

/// Returns the 404 for an endpoint that is unknown, deleted or of another organisation.
pub fn endpoint_not_found() -> Fault {
    Fault::not_found("Endpoint")
}

/// Returns the 409 for an organisation that already has an endpoint with this URL.
pub fn url_taken() -> Fault {
    Fault::new(Code::Conflict, "organisation already has an endpoint with this url").detail("field", "url")
}

/// Returns the 409 for an organisation that already has [`ENDPOINTS_MAX`] endpoints.
pub fn too_many_endpoints() -> Fault {
    let message = format!("organisation already has {ENDPOINTS_MAX} endpoints; delete one first");
    Fault::new(Code::Conflict, message).detail("limit", ENDPOINTS_MAX)
}
